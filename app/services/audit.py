"""The record of who changed what."""

from __future__ import annotations

from app.extensions import db
from app.models import Audit

LONGEST_ACTOR = 100


def record(actor: str, action: str, object_id: str = "", detail: str = "") -> None:
    """Add a line to the transaction that is open; it must hold no secret."""
    db.session.add(Audit(actor=actor[:LONGEST_ACTOR], action=action, object_id=object_id, detail=detail))
