"""What answers a call by documents: a number's or a mailbox's URLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

APOLOGY = "application_error"
"""The prompt that ends a call whose documents failed (sounds/prompts.toml)."""


@dataclass(frozen=True)
class Script:
    """Where a call's documents come from.

    number_id: the row of voicemail_number. mailbox_id: of the mailbox whose greeting it stands for, else empty.
    number: as it was dialled, for the log. language: of apologies. Methods: GET or POST.
    """

    number_id: str
    number: str
    language: str
    voice_url: str
    voice_method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    mailbox_id: str = ""

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Script:
        """What asdict() made of it, by this version or another; TypeError for anything else."""
        return cls(**{item.name: plain[item.name] for item in fields(cls) if item.name in plain})
