"""What programs are told of a message: the API and webhooks use the same names."""

from __future__ import annotations

from typing import Any

from app.models import Message


def facts_of(message: Message, extension: str) -> dict[str, Any]:
    """Names and values for JSON; times are UTC, RFC 3339, durations seconds."""
    return {
        "id": message.id,
        "extension": extension,
        "caller": message.caller_number,
        "caller_name": message.caller_name,
        "received_at": message.received_at.isoformat(),
        "duration": round(message.duration, 3),
        "status": message.state,
        "urgent": message.urgent,
    }
