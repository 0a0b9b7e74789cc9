"""How a call went, and when its recordings end by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from voice.mailbox import MailboxFacts


@dataclass(frozen=True)
class Limits:
    """When a recording ends by itself; seconds."""

    silence_timeout: float
    max_duration: float

    def of(self, mailbox: MailboxFacts) -> Limits:
        """Those of a mailbox, where it has its own; no message is longer than the room that is left."""
        silence = self.silence_timeout if mailbox.silence_timeout is None else mailbox.silence_timeout
        longest = self.max_duration if mailbox.max_duration is None else mailbox.max_duration
        left = mailbox.seconds_left
        return Limits(silence, longest if left is None else min(longest, left))


@dataclass(frozen=True)
class Outcome:
    """How it went, for the log line. message: the take's id where there is a message."""

    ended_by: str
    message: str = ""
    recorded_seconds: float = 0.0
