"""Doctor's look at numbers that documents answer: whether their calls and recordings can work."""

from __future__ import annotations

from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.findings import Doubtful, Wrong
from app.launch.checks import open_engine
from app.launch.processes import networks_of_programs
from app.models import Number
from app.services.number_fields import hidden_host, host_of, is_here

NAMED = 3


def numbers(settings: Settings) -> str:
    """Documents are asked for, their servers may be, and these can fetch recordings."""
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            urls = list(connection.scalars(select(Number.voice_url)))
    except (SQLAlchemyError, OSError):
        raise Wrong("the database cannot be asked", "See the database's line") from None
    finally:
        engine.dispose()
    if not urls:
        return "none yet"
    counted = f"{len(urls)} answered by documents"
    if not settings.programmable.enabled:
        raise Doubtful(f"{counted}, but programmed calls are switched off", "Set programmable.enabled")
    allowed = networks_of_programs(settings)
    if hidden := sorted({host for url in urls if (host := hidden_host(url, allowed))}):
        named = ", ".join(hidden[:NAMED])
        raise Doubtful(f"private and not allowed: {named}", "Add the network to programmable.allowed_networks")
    others = sorted({host for url in urls if (host := host_of(url)) and not is_here(host)})
    if others and is_here(urlsplit(settings.public_url).hostname or ""):
        what = f"{others[0]} cannot fetch recordings from {settings.public_url}"
        raise Doubtful(what, "Set PUBLIC_URL to an address that others reach")
    return counted
