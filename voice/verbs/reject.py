"""Refuse a call that rings."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call

BUSY_HERE, DECLINE = 486, 603


@dataclass(frozen=True)
class Reject:
    """Do not answer. status: of SIP, such as BUSY_HERE or DECLINE (RFC 3261 section 21)."""

    status: int = DECLINE

    def run(self, call: Call) -> None:
        """Harmless where the call is answered or over."""
        call.reject(self.status)
