"""Takes as the voice worker hands them over, without audio unless it is asked for."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from app.models.base import new_id
from app.services import mailboxes, messages
from app.services.context import settings
from app.services.spool import wav_of

AUDIO = b"RIFF not really, but these bytes are told apart"


def take(extension: str = "1001", **facts: Any) -> messages.Take:
    """A take of a mailbox that lives."""
    usual: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "mailbox_id": facts.get("mailbox_id") or mailboxes.get(extension).id,
        "caller_number": "0301234567",
        "caller_name": "Carla Caller",
        "call_id": f"{new_id()}@pbx",
        "received_at": datetime.now(UTC),
        "duration": 2.0,
        "size": len(AUDIO),
        "sha256": "ab" * 32,
        "urgent": False,
        "discarded": False,
        "host": settings().host_name,
    }
    return messages.Take(**(usual | facts))


def spooled(take: messages.Take) -> messages.Take:
    """The take with audio and sidecar in the spool."""
    path = wav_of(settings(), take.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(AUDIO)
    path.with_suffix(".json").write_text("{}")
    return take


def saved(extension: str = "1001", **facts: Any) -> str:
    """The id of a message that was made of such a take."""
    return messages.save_take(take(extension, **facts)).id
