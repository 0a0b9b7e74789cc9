"""A simulated call of a number: the documents of its URL, by the same interpreter, without SIP (voice/jobs.py)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.account import account_of
from app.config import Settings
from voice.call import Call, CallFacts
from voice.errors import CallEnded, VoiceError
from voice.flows.outcome import Outcome
from voice.mailbox import MailboxFacts
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter
from voice.prompts import Prompts
from voice.store import Store
from voice.twiml.desk import ScriptDesk
from voice.twiml.errand_runner import Runner
from voice.twiml.errands import Ask, Errands, Exchange, Fetched, Sound
from voice.twiml.interpreter import run_script
from voice.twiml.ledger import TraceWriter
from voice.twiml.recordings import Place, Recordings
from voice.twiml.script import Script
from voice.twiml.simulated import Act, Clock, SimulatedCall, SimulatedCaller, SimulatedLedger
from voice.twiml.trace import CallState

log = logging.getLogger(__name__)
MOST_SECONDS = 60.0
"""Longest that a simulated call takes, by a real clock."""
CALLBACK_SECONDS = 10.0
"""Longest wait for callbacks when the call is over."""
SPEECH = "test_message"
NO_MESSAGE = Outcome("simulated: no message is left")
NO_MENU = Outcome("simulated: nobody logs in")


@dataclass(frozen=True)
class Wanted:
    """What is to be simulated. sid: of the call. dialled: what the caller has dialled, where that is not the number.

    acts: what the caller does (app/services/caller_script.py). speaks: whether he says something into a recording.
    """

    number_id: str
    sid: str
    caller: str
    dialled: str
    acts: Sequence[Act]
    speaks: bool


class NoSuchNumber(VoiceError):
    """It was deleted since somebody wanted it simulated."""


def simulate(settings: Settings, wanted: Wanted) -> None:
    """Run the call to its end and write its trace; a fault of ours ends it as failed, in its trace. NoSuchNumber."""
    store = Store(settings)
    script, mailbox = store.script_of(wanted.number_id, wanted.dialled)
    if script is None:
        raise NoSuchNumber("The number is gone.")
    clock = Clock(datetime.now(UTC))
    with _writing(store) as writer, _spooling() as spooler:
        ledger = SimulatedLedger(writer, clock)
        errands = Outgoing(Runner(settings))
        try:
            prompts = Prompts(settings.language, settings.sounds_dir)
            with suppress(Exception):
                prompts.lay_over(store.custom_prompts())
            speech = prompts.prompt(SPEECH, script.language, Law.PCMU) if wanted.speaks else b""
            call = SimulatedCall(
                _facts(wanted, script), spooler, clock, SimulatedCaller(wanted.acts), speech, MOST_SECONDS
            )
            desk = _desk(settings, store, ledger, errands, prompts, clock)
            with suppress(CallEnded):
                run_script(call, script, desk, mailbox, wanted.sid)
            errands.settle(CALLBACK_SECONDS)
        except Exception as error:
            log.exception("call=%s cannot be simulated", wanted.sid)
            ledger.call(_failed(wanted, script, clock, error))
        finally:
            errands.close()


def _desk(
    settings: Settings, store: Store, ledger: SimulatedLedger, errands: Errands, prompts: Prompts, clock: Clock
) -> ScriptDesk:
    return ScriptDesk(
        errands=errands,
        ledger=ledger,
        recordings=Recordings(Place.of(settings), StoreCommitter(store)),
        prompts=prompts,
        account_sid=account_of(settings).sid,
        most_documents=settings.programmable.most_documents,
        find_mailbox=store.find_mailbox,
        leave_message=_leave_no_message,
        check_messages=_check_no_messages,
        simulated=True,
        now=clock.moment,
    )


def _leave_no_message(_call: Call, _mailbox: MailboxFacts) -> Outcome:
    """Nobody gets a message of a call that never was."""
    return NO_MESSAGE


def _check_no_messages(_call: Call) -> Outcome:
    return NO_MENU


def _facts(wanted: Wanted, script: Script) -> CallFacts:
    return CallFacts(f"simulated-{wanted.sid}", wanted.caller, "", (script.number,), dialled=(script.number,))


def _failed(wanted: Wanted, script: Script, clock: Clock, error: Exception) -> CallState:
    now = clock.moment().isoformat()
    return CallState(
        wanted.sid,
        script.number_id,
        wanted.caller,
        script.number,
        "failed",
        clock.began.isoformat(),
        simulated=True,
        ended_at=now,
        error=f"The simulator failed, its log says why: {type(error).__name__}.",
    )


class StoreCommitter:
    """Makes recordings known without a keeper."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, take_id: str, seconds: float) -> bool:
        """Commit a finished take; False where that fails: the keeper of this host commits it later."""
        try:
            return self._store.save(take_id)
        except Exception as error:  # noqa: BLE001 - it is safe in the spool, whatever the database says
            log.error("take=%s is in the spool, its commit follows: %s", take_id, error)
            return False

    def adopt(self, take_id: str) -> None:
        """Leave it to the reconciler of this host's keeper, which looks through the spool every minute."""


class Outgoing:
    """The errands of one call, and how many callbacks of it are under way."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._changed = threading.Condition()
        self._callbacks = 0

    def document(self, ask: Ask) -> Fetched:
        return self._runner.document(ask)

    def sound(self, url: str) -> Sound:
        return self._runner.sound(url)

    def speech(self, text: str, language: str, voice: str) -> Sound:
        return self._runner.speech(text, language, voice)

    def callback(self, ask: Ask, done: Callable[[tuple[Exchange, ...]], object]) -> None:
        """Send it, and let settle() wait for it."""

        def settled(exchanges: tuple[Exchange, ...]) -> None:
            try:
                done(exchanges)
            finally:
                with self._changed:
                    self._callbacks -= 1
                    self._changed.notify_all()

        with self._changed:
            self._callbacks += 1
        self._runner.callback(ask, settled)

    def over(self, call_sid: str) -> None:
        self._runner.over(call_sid)

    def settle(self, seconds: float) -> bool:
        """Wait so long for the callbacks; whether all of them are done."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._callbacks, seconds)

    def close(self) -> None:
        """End the errands; callbacks that failed are not tried again."""
        self._runner.close()
        # One that waited for its next try says now what came of it.
        self.settle(1.0)


@contextmanager
def _writing(store: Store) -> Iterator[TraceWriter]:
    """A writer of traces at work; what it has is written before the block ends, tried a few times."""
    writer = TraceWriter(store.write_trace)
    thread = threading.Thread(target=writer.run, name="traces", daemon=True)
    thread.start()
    try:
        yield writer
    finally:
        writer.stop()
        thread.join()
        for _ in range(5):
            if writer.flush():
                break
            time.sleep(1.0)


@contextmanager
def _spooling() -> Iterator[SpoolWriter]:
    """Threads that write recordings."""
    spooler = SpoolWriter(threads=1)
    spooler.start()
    try:
        yield spooler
    finally:
        spooler.stop()


def wanted_of(plain: dict[str, Any]) -> Wanted:
    """What a job was given, as JSON carries it."""
    return Wanted(**plain)
