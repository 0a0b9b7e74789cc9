"""Doctor's look at the secrets in the database: whether the key that there is reads them."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings, SettingsError
from app.findings import Wrong
from app.launch.checks import open_engine
from app.models import Webhook
from app.secret_box import unseal


def secrets(settings: Settings) -> str:
    """Every secret in the database can be read."""
    engine = open_engine(settings)
    query = select(Webhook.secret, Webhook.headers).where(or_(Webhook.secret != "", Webhook.headers != ""))
    try:
        with engine.connect() as connection:
            sealed = [text for row in connection.execute(query) for text in row if text]
    except (SQLAlchemyError, OSError):
        raise Wrong("the database cannot be asked", "See the database's line") from None
    finally:
        engine.dispose()
    try:
        for text in sealed:
            unseal(settings, text)
    except SettingsError as error:
        raise Wrong(str(error), "Put encryption_key back from the backup, or type the secrets anew") from None
    return f"{len(sealed)} in the database can be read" if sealed else "none in the database yet"
