"""What a programmed call needs beside the call itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from voice.call import Call
from voice.flows.outcome import Outcome
from voice.mailbox import MailboxFacts
from voice.prompts import Prompts
from voice.twiml.errands import Errands
from voice.twiml.trace import Ledger
from voice.verbs.record import Recorded


class ScriptTake(Protocol):
    """One recording of Record. sid: RE and 32 hex digits. url: its RecordingUrl. path: where its audio is written."""

    @property
    def sid(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def path(self) -> Path: ...

    def finish(self, recorded: Recorded, trim: bool) -> float | None:
        """Keep what was recorded: its seconds, once it is safe and its URL answers; None where nothing was recorded.

        trim: silence at the end is cut off. SpoolError, OSError where it cannot be kept.
        """
        ...


class Recordings(Protocol):
    """Who keeps recordings (voice/twiml/recordings.py)."""

    def begin(self, call: Call, call_sid: str) -> AbstractContextManager[ScriptTake]:
        """Own a new recording while the block runs; SpoolError where it cannot be written.

        One that the block did not finish is adopted at once, as after a crash.
        """
        ...


@dataclass(frozen=True)
class ScriptDesk:
    """What programmed calls share.

    account_sid: AC and 32 hex digits. most_documents: how many may follow each other while nothing happens for the
    caller. find_mailbox: the first of these extensions that has one; KeeperAway. leave_message, check_messages: the
    built-in flows, to their end. on_fault: a fault of ours has broken a call. simulated: no telephone is there.
    """

    errands: Errands
    ledger: Ledger
    recordings: Recordings
    prompts: Prompts
    account_sid: str
    most_documents: int
    find_mailbox: Callable[[list[str]], MailboxFacts | None]
    leave_message: Callable[[Call, MailboxFacts], Outcome]
    check_messages: Callable[[Call], Outcome]
    on_fault: Callable[[], None] = lambda: None
    simulated: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
