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
        """Those of a mailbox, where it has its own."""
        silence, longest = mailbox.silence_timeout, mailbox.max_duration
        return Limits(
            self.silence_timeout if silence is None else silence, self.max_duration if longest is None else longest
        )


@dataclass(frozen=True)
class Outcome:
    """How it went, for the log line. message: the take's id where there is a message."""

    ended_by: str
    message: str = ""
    recorded_seconds: float = 0.0
