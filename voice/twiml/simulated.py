"""A call without a telephone: a caller who does what a script says, and a clock that skips what nobody waits for.

The flow, the verbs, the recorder and the errands are the real ones. Time stands still while the flow works; where it
waits for the caller or for a sound, the clock goes at once to what comes next; where it waits for an errand, the clock
goes like any other. So minutes of a call take as long as its requests do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from voice.call import Call, CallFacts
from voice.events import Digit, Ended, Event, PlaybackDone
from voice.media import FRAME_SAMPLES, SAMPLE_RATE
from voice.media.g711 import Law
from voice.media.receiver import Sink
from voice.media.recorder import SpoolWriter
from voice.media.statistics import StreamStatistics
from voice.twiml.ledger import TraceWriter, WriterLedger
from voice.twiml.trace import REQUEST, VERB, Entry

FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
KEY_SECONDS = 0.3
"""Between two keys, and between the last word of a recording and a key that ends it."""
PATIENCE_SECONDS = 600.0
"""How long the caller stays who has nothing more to do, by the clock of the call."""
HUNG_UP = "caller hung up"
NO_MORE_TIME = "the simulator has no more time"

Act = Sequence[Any]


@dataclass
class Clock:
    """Seconds of a simulated call."""

    began: datetime
    now: float = 0.0

    def read(self) -> float:
        return self.now

    def moment(self) -> datetime:
        """The time of day that it is in the call."""
        return self.began + timedelta(seconds=self.now)


class SimulatedStream:
    """What is played and recorded. speech: payload that the caller says into each recording, from its start."""

    law = Law.PCMU

    def __init__(self, clock: Clock, post: Callable[[Event], None], speech: bytes = b"") -> None:
        self._clock, self._post, self._speech = clock, post, speech
        self._playing: tuple[object, float, int, int] | None = None
        self._played = 0
        self._sink: Sink | None = None
        self._recording_from = 0.0
        self._frames = 0
        self._received = 0

    @property
    def statistics(self) -> StreamStatistics:
        return StreamStatistics(self._received, 0, 0, 0, 0, 0)

    @property
    def plays(self) -> bool:
        return self._playing is not None

    @property
    def records(self) -> bool:
        return self._sink is not None

    @property
    def quiet_from(self) -> float:
        """When the caller has said what there is to say into the recording that runs."""
        return self._recording_from + len(self._speech) / SAMPLE_RATE

    @property
    def due(self) -> float:
        """When what plays comes to its end."""
        if self._playing is None:
            return math.inf
        _, began, start, size = self._playing
        return began + max(0, size - start) / SAMPLE_RATE

    @property
    def played_samples(self) -> int:
        if self._playing is not None:
            _, began, start, size = self._playing
            self._played = min(size, start + round((self._clock.now - began) * SAMPLE_RATE))
        return self._played

    def play(self, payload: bytes, token: object, start: int = 0) -> None:
        self._playing = (token, self._clock.now, start, len(payload))

    def stop_playback(self) -> None:
        self._played, self._playing = self.played_samples, None

    def end_playback(self) -> None:
        """What plays has come to its end."""
        if self._playing is not None:
            token = self._playing[0]
            self.stop_playback()
            self._post(PlaybackDone(token))

    def hear_speech(self, wanted: bool) -> None:
        """Nobody speaks but into recordings."""

    def record(self, sink: Sink) -> None:
        self._sink, self._recording_from, self._frames = sink, self._clock.now, 0

    def stop_recording(self) -> None:
        self._sink = None

    def hear(self, until: float) -> bool:
        """Give the recording its next frame, where one is due until then; whether there was one."""
        following = self._recording_from + (self._frames + 1) * FRAME_SECONDS
        if self._sink is None or following > until:
            return False
        start = self._frames * FRAME_SAMPLES
        payload = self._speech[start : start + FRAME_SAMPLES]
        self._frames += 1
        self._received += 1
        self._clock.now = max(self._clock.now, following)
        self._sink.frame(payload + self.law.silence(FRAME_SAMPLES - len(payload)))
        return True


class SimulatedLeg:
    """The signalling: everything is taken."""

    def __init__(self, call_id: str, post: Callable[[Event], None]) -> None:
        self.call_id, self._post = call_id, post
        self.stream: Any = None

    def answer(self) -> bool:
        return True

    def reject(self, status: int) -> None:
        self._post(Ended("we hung up"))

    def transfer(self, target: str) -> bool:
        return False

    def hangup(self) -> None:
        self._post(Ended("we hung up"))


class SimulatedCaller:
    """Does what a script says, one act after the other (app/services/caller_script.py)."""

    def __init__(self, acts: Sequence[Act]) -> None:
        # Each key is an act of its own.
        self._acts: list[tuple[str, Any]] = []
        for kind, value in acts:
            self._acts += [("keys", key) for key in value] if kind == "keys" else [(kind, value)]
        self._ready_at = 0.0

    def due(self, listening_from: float | None) -> float:
        """When the next act is due; listening_from: since when keys are taken, None while nobody listens."""
        while self._acts and self._acts[0][0] == "pause":
            self._ready_at += self._acts.pop(0)[1]
        if not self._acts:
            return self._patient_until
        if self._acts[0][0] == "keys":
            return self._patient_until if listening_from is None else max(self._ready_at, listening_from)
        return self._ready_at

    def act(self, now: float) -> Event:
        """The next act; who has waited for too long hangs up."""
        kind, value = self._acts.pop(0) if self._acts and now < self._patient_until else ("hangup", None)
        self._ready_at = now + KEY_SECONDS
        return Digit(str(value)) if kind == "keys" else Ended(HUNG_UP)

    @property
    def _patient_until(self) -> float:
        return self._ready_at + PATIENCE_SECONDS


class SimulatedCall(Call):
    """A call whose waiting is by the clock of the call. It ends when `seconds` of real time are over."""

    def __init__(
        self,
        facts: CallFacts,
        writer: SpoolWriter,
        clock: Clock,
        caller: SimulatedCaller,
        speech: bytes = b"",
        seconds: float = 60.0,
    ) -> None:
        leg = SimulatedLeg(facts.call_id, self.post)
        super().__init__(leg, facts, writer, clock.read)
        self._stream = leg.stream = SimulatedStream(clock, self.post, speech)
        self._simulated_clock, self._caller = clock, caller
        self._last_moment = time.monotonic() + seconds

    def wait(self, timeout: float | None = None) -> Event | None:
        """As of every call, by the clock of this one."""
        clock = self._simulated_clock
        deadline = math.inf if timeout is None else clock.now + timeout
        while not self._something_came():
            if time.monotonic() >= self._last_moment:
                self.post(Ended(NO_MORE_TIME))
            elif self.errands_out:
                self._wait_for_errand(deadline)
            elif self._skip(deadline, listens=timeout is not None):
                return None
        return super().wait(0)

    def _something_came(self) -> bool:
        return bool(self._take_posted()) or self._ended is not None

    def _skip(self, deadline: float, *, listens: bool) -> bool:
        """To what comes next; True where that is the end of the time-out."""
        clock, stream = self._simulated_clock, self._stream
        listening_from = None
        if stream.records:
            listening_from = stream.quiet_from + KEY_SECONDS
        elif listens and self.answered and not stream.plays:
            listening_from = clock.now
        acts_at = self._caller.due(listening_from)
        due = min(stream.due, acts_at, deadline)
        while stream.hear(due):
            # A recording ends by itself as well.
            if self._something_came():
                return False
        clock.now = max(clock.now, due)
        if due == stream.due:
            stream.end_playback()
        elif due == acts_at:
            self.post(self._caller.act(clock.now))
        else:
            return True
        return False

    def _wait_for_errand(self, deadline: float) -> None:
        """Let real time go by until the errand is back, or the caller hangs up meanwhile."""
        clock, began = self._simulated_clock, time.monotonic()
        acts_at = self._caller.due(None)
        longest = min(acts_at, deadline) - clock.now
        self._wait_posted(max(0.0, min(longest, self._last_moment - began)))
        clock.now += time.monotonic() - began
        if clock.now >= acts_at:
            self.post(self._caller.act(clock.now))


class SimulatedLedger(WriterLedger):
    """Writes times as the clock of the call has them."""

    def __init__(self, writer: TraceWriter, clock: Clock) -> None:
        super().__init__(writer)
        self._clock = clock

    def entry(self, entry: Entry) -> None:
        """A line; when a request began and how long a verb took is by that clock too."""
        now = self._clock.moment()
        if entry.kind == REQUEST:
            # While a call waits for its errand, this clock still says when that began.
            entry = replace(entry, at=now.isoformat())
        elif entry.kind == VERB and entry.seconds is not None:
            entry = replace(entry, seconds=max(0.0, (now - datetime.fromisoformat(entry.at)).total_seconds()))
        super().entry(entry)
