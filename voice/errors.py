"""The voice side's own errors."""

from __future__ import annotations


class VoiceError(Exception):
    """Base of the voice side's errors."""


class CallEnded(VoiceError):
    """The call is over: raised in the call wherever it waits, caught where calls are run.

    While a recording runs it is a normal end, not an error. `reason` is for the log line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HelperAway(VoiceError):
    """A process beside the media process gave no answer in time."""


class KeeperAway(HelperAway):
    """The keeper process, or the database behind it, gave no answer in time."""


class SpoolError(VoiceError):
    """The spool cannot be written or a sidecar in it cannot be read."""
