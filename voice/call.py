"""A call as verbs and flows see it: answer, play, record, wait for what happens, hang up."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from voice.errors import CallEnded
from voice.events import Digit, Ended, Event, HoldChanged
from voice.media import SAMPLE_RATE
from voice.media.g711 import Law
from voice.media.recorder import Recorder, SpoolWriter
from voice.media.stream import MediaStream

# What a call is doing, in the words of the portal's page and of /metrics.
RINGING, GREETING, RECORDING, CLOSING = "ringing", "greeting", "recording", "closing"
REVIEWING, LOGGING_IN, RETRIEVING, TRANSFERRING = "reviewing", "logging in", "retrieving", "transferring"
PROGRAMMED = "programmed"
SAMPLES_A_MS = SAMPLE_RATE // 1000


@dataclass(frozen=True)
class CallFacts:
    """What is known of a call when it arrives.

    reason: why it was diverted (busy, no-answer, ...), or empty. address: the IP address that it came from; trusted:
    what comes from there says truly who calls. service: OWN or ANY (voice/router.py) where an owner dials in, or empty.
    dialled: users of Request-URI and To as they came, without what follows a semicolon. forwarded_from: whom the call
    was diverted from, or empty. x_headers: headers of the INVITE whose names begin with X-.
    """

    call_id: str
    caller_number: str
    caller_name: str
    extensions: tuple[str, ...]
    reason: str = ""
    address: str = ""
    trusted: bool = False
    service: str = ""
    dialled: tuple[str, ...] = ()
    forwarded_from: str = ""
    x_headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Served:
    """The mailbox whose owner has logged in."""

    mailbox_id: str
    extension: str
    timezone: str


class Leg(Protocol):
    """The signalling of a call (voice.sip.SipCall, or a scripted one in tests)."""

    call_id: str
    stream: MediaStream

    def answer(self) -> bool: ...
    def reject(self, status: int) -> None: ...
    def transfer(self, target: str) -> bool: ...
    def hangup(self) -> None: ...


class Call:
    """One call in its flow's thread. Whatever waits raises CallEnded when the call is over.

    post() is called by the SIP thread and the media loop, everything else by the flow's thread.
    """

    def __init__(
        self, leg: Leg, facts: CallFacts, writer: SpoolWriter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.facts = facts
        self._leg, self._writer, self._clock = leg, writer, clock
        # What was posted; and what of it the flow's thread has seen but not taken, which is mostly nothing.
        self._posted: SimpleQueue[Event] = SimpleQueue()
        self._waiting: list[Event] = []
        self._ended: str | None = None
        self._playing = 0
        self.held = False
        # How often hold began or ended: who looks only now and then sees that there was one in between.
        self.hold_changes = 0
        self.answered = False
        # How many errands the flow waits for: somebody else's work, which takes its time (voice/twiml/waiting.py).
        self.errands_out = 0
        self.state = RINGING
        self.served: Served | None = None
        self.on_state: Callable[[Call], None] | None = None

    @property
    def law(self) -> Law:
        """The law agreed for this call's audio."""
        return self._leg.stream.law

    @property
    def ended(self) -> str | None:
        """Why the call is over, or None while it runs."""
        return self._ended

    @property
    def now(self) -> float:
        """Seconds by the clock that wait() goes by."""
        return self._clock()

    @property
    def packets_received(self) -> int:
        return self._leg.stream.statistics.received

    def post(self, event: Event) -> None:
        """Tell the flow that something happened; never blocks."""
        if isinstance(event, HoldChanged):
            self.held = event.held
            self.hold_changes += 1
            return
        if isinstance(event, Ended):
            self._ended = self._ended or event.reason
        self._posted.put(event)

    def wait(self, timeout: float | None = None) -> Event | None:
        """The next event, or None after `timeout` seconds; CallEnded as soon as the call is over."""
        deadline = None if timeout is None else self._clock() + timeout
        while True:
            if self._look():
                return self._waiting.pop(0)
            left = None if deadline is None else deadline - self._clock()
            if left is not None and left <= 0:
                return None
            self._wait_posted(left)

    def enter(self, state: str) -> None:
        """Say what the call is doing from now on, for whoever watches live calls."""
        self.state = state
        if self.on_state:
            self.on_state(self)

    def typed_ahead(self) -> str:
        """The first key that waits, which nobody has taken yet; empty: none does. CallEnded where the call is over."""
        return next((event.key for event in self._look() if isinstance(event, Digit)), "")

    def give_back(self, digit: Digit) -> None:
        """A key that was taken counts as typed ahead again: the next who waits gets it first."""
        self._waiting.insert(0, digit)

    def forget_digits(self) -> None:
        """Drop digits that were typed before now."""
        self._waiting = [event for event in self._take_posted() if not isinstance(event, Digit)]

    def _take_posted(self) -> list[Event]:
        """What waits for the flow, with what was posted since the last look."""
        while not self._posted.empty():
            self._waiting.append(self._posted.get_nowait())
        return self._waiting

    def _wait_posted(self, timeout: float | None) -> None:
        """Until something more is posted, `timeout` seconds at most."""
        with suppress(Empty):
            # This leaves the queue's lock closed. A get() that closes it itself may find its time over when it has,
            # as behind a pause of this thread, and then waits for ever (CPython 3.11).
            self._waiting.append(self._posted.get_nowait())
            return
        with suppress(Empty):
            self._waiting.append(self._posted.get(timeout=timeout))

    def _look(self) -> list[Event]:
        """What waits; CallEnded where the call is over."""
        waiting = self._take_posted()
        if self._ended is not None:
            raise CallEnded(self._ended)
        return waiting

    def answer(self) -> None:
        """Take the call, where it rings yet; CallEnded where the caller gave up meanwhile."""
        if self.answered:
            return
        if not self._leg.answer():
            raise CallEnded(self._ended or "cancelled")
        self.answered = True

    def reject(self, status: int) -> None:
        """Refuse a call that rings with a SIP status; harmless when it is answered or over."""
        if self._ended is None and not self.answered:
            self._leg.reject(status)

    def play(self, payload: bytes, from_ms: int = 0) -> int:
        """Start to play in place of what plays; the token comes back in PlaybackDone. CallEnded where it is over.

        from_ms: where to begin; before the start it is the start, behind the end nothing is heard. To go back or
        forward within a sound, play it again from playback_ms and some ms less or more.
        """
        if self._ended is not None:
            raise CallEnded(self._ended)
        self._playing += 1
        self._leg.stream.play(payload, self._playing, max(0, from_ms) * SAMPLES_A_MS)
        return self._playing

    @property
    def playback_ms(self) -> int:
        """How far the playback is in what play() was given last, or was when it ended or was stopped."""
        return self._leg.stream.played_samples // SAMPLES_A_MS

    def stop_playback(self) -> None:
        """Send silence; this is a pause as well, since playback_ms stays."""
        self._leg.stream.stop_playback()

    def hear_speech(self, wanted: bool) -> None:
        """Post Spoke at the end of each sentence from now on, or no more.

        What is said while something plays does not count: it may be the echo of that. Not while something records.
        """
        self._leg.stream.hear_speech(wanted)

    def start_recording(self, path: Path, silence_timeout: float | None, max_duration: float) -> Recorder:
        """Write what the caller says to `path` from the next frame on; seconds."""
        recorder = Recorder(path, self.law, self._writer, silence_timeout, max_duration, self.post)
        self._leg.stream.record(recorder)
        return recorder

    def stop_recording(self) -> None:
        self._leg.stream.stop_recording()

    def transfer(self, target: str) -> bool:
        """Hand the call over to a number at the PBX or a SIP URI; True once the PBX has taken it: the call is over.

        It takes as long as the other side rings, a minute at most; False where it was declined, or the call ended.
        """
        self.enter(TRANSFERRING)
        return self._leg.transfer(target)

    def hangup(self) -> None:
        """End the call from our side; harmless when it is over."""
        if self._ended is None:
            self._leg.hangup()
