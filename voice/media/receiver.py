"""The way in: from a datagram to frames in order for whoever records them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from voice.media import FRAME_SAMPLES
from voice.media.alike import Arrival, audio_of, follow
from voice.media.dtmf import EventReceiver
from voice.media.g711 import Law
from voice.media.jitter import JitterBuffer, Timeline
from voice.media.noise import Background
from voice.media.rtcp import KINDS
from voice.media.rtp import HEADER, HEADER_SIZE, MAX_PAYLOAD, VERSION_BITS, RTPError, payload_of

COMFORT_NOISE = 13
IDLE_SECONDS = 1.0
TOGETHER = 50
"""Packets that are checked and recorded together at most: code and data of one are in the cache for the next."""
MAX_PACKET = HEADER_SIZE + MAX_PAYLOAD
NO_AUDIO = b""
NO_SIZE = -1
_unpack = HEADER.unpack_from


class Sink(Protocol):
    """Takes audio as it comes, in order (voice.media.recorder.Recorder)."""

    @property
    def due(self) -> int:
        """How many samples may come before it is to have them; it is asked after each time that it got some."""

    @property
    def is_patient(self) -> bool:
        """Whether it can have what is due a quarter of a second later; asked when it got some."""

    def frame(self, payload: bytes) -> None: ...

    def lost(self, samples: int) -> None:
        """The next so many samples given to frame() are silence that stands for packets that were lost."""

    def interrupted(self) -> None:
        """What comes next does not follow what came last: there was a hold between them."""


class Waiting(Protocol):
    """Where packets wait that are read together with those of other streams (voice.media.arrivals)."""

    @property
    def count(self) -> int:
        """How many."""

    @property
    def heard_at(self) -> float:
        """When the last one of them came."""

    def expect(self, due: int, second: int, sequence: int, timestamp: int | None, ssrc: int) -> None:
        """Let what is said here wait, up to `due` packets; all else is for datagram().

        The second byte, sequence and timestamp of the next packet, and the SSRC of all. timestamp None: any; it or the
        sequence -1: none may wait.
        """

    def take(self, wanted: bool) -> tuple[bytes, int]:
        """The audio of those that wait, none where it is not wanted, and how many they are; none waits any more."""


class Receiver:
    """Reads RTP of one stream. Pure but for what it tells: keys to on_key, audio to the sink.

    on_control: hears RTCP that comes on the same port.

    Telephone events and comfort noise (RFC 3389) take their place in the sequence but bring no audio: what
    stands for them, silence or noise of the level told, follows from the timestamp of the audio after them.
    Neither switches the SSRC whose audio is heard: some peers send keys with an SSRC of their own.

    What looks like one more packet of audio may wait for others (take()) as long as the sink can wait: `due` packets.
    size: of such a packet, in bytes; NO_SIZE where nothing looks like one.
    """

    __slots__ = (
        "_arrival",
        "_audio_types",
        "_background",
        "_buffer",
        "_event_types",
        "_events",
        "_on_key",
        "_received",
        "_second",
        "_silence",
        "_sink",
        "_ssrc",
        "_timeline",
        "_times",
        "_view",
        "_waiting",
        "due",
        "heard_at",
        "invalid",
        "jitter",
        "on_control",
        "size",
        "waits_at",
    )

    def __init__(
        self,
        law: Law,
        payload_type: int,
        event_type: int | None,
        on_key: Callable[[str], None],
        arrival: Arrival | None = None,
        on_key_held: Callable[[str], object] | None = None,
    ) -> None:
        """arrival: where the datagrams are that take() is told of. on_key_held: hears as long as a key is held."""
        self._arrival = arrival or Arrival()
        self._buffer = self._arrival.data
        self._audio_types: frozenset[int] = frozenset()
        self._event_types: frozenset[int] = frozenset()
        # What looks like one more packet of audio: its size, and its second byte.
        self.size, self._second = NO_SIZE, 0
        self._view = self._arrival.view(0)
        # Datagrams of that size behind each other, and when they came; after how many they are looked at.
        self._waiting = bytearray()
        self._times: list[float] = []
        self.due = TOGETHER
        self.waits_at: Waiting | None = None
        self._sink: Sink | None = None
        self.renumber(payload_type, event_type)
        self._silence = law.silence(FRAME_SAMPLES)
        self._background = Background(law)
        self._on_key = on_key
        self._events = EventReceiver(on_key_held)
        self._timeline = Timeline()
        self._ssrc = -1
        self.jitter: JitterBuffer[tuple[int, int, bytes]] = JitterBuffer()
        self._received = 0
        self.invalid = 0
        self.heard_at = 0.0
        self.on_control: Callable[[bytes], object] | None = None

    @property
    def ssrc(self) -> int:
        """Whose audio is heard; -1 for nobody's yet."""
        return self._ssrc

    @property
    def received(self) -> int:
        """Packets that were taken so far, those that wait among them."""
        waiting = self.waits_at
        return self._received + len(self._times) + (waiting.count if waiting is not None else 0)

    @property
    def is_patient(self) -> bool:
        """Whether there is a sink, and it is."""
        return self._sink is not None and self._sink.is_patient

    def timestamp_of(self, data: bytes) -> int | None:
        """The timestamp of a packet of the audio that is heard; None for any other."""
        if len(data) < HEADER_SIZE:
            return None
        first, second, _, timestamp, ssrc = _unpack(data)
        is_audio = first >> 6 == 2 and second & 0x7F in self._audio_types and ssrc == self._ssrc
        return int(timestamp) if is_audio else None

    def renumber(self, payload_type: int, event_type: int | None) -> None:
        """Understand these payload types, and those before them: packets with the old numbers are on their way.

        In a session no number changes its meaning (RFC 3264 section 8.3.2); where one does, the new one counts.
        """
        self.settle()
        self.size = NO_SIZE
        audio, events = {payload_type}, set() if event_type is None else {event_type}
        self._audio_types, self._event_types = (
            frozenset(audio | (self._audio_types - events)),
            frozenset(events | (self._event_types - audio)),
        )
        self._be_patient()

    def take(self, size: int, now: float) -> None:
        """Take the datagram of `size` bytes that has been read; one more packet of audio may wait for others.

        It comes from the source that the call is tied to.
        """
        if size == self.size and self._buffer[1] == self._second:
            self._times.append(now)
            self._waiting += self._view
            if len(self._times) >= self.due:
                self.settle()
        else:
            self.datagram(self._arrival.datagram(size), now)

    def datagram(self, data: bytes, now: float) -> bool:
        """Take a datagram that came at `now` seconds at once; True where it is RTP of a payload type agreed."""
        self.settle()
        is_agreed = self._datagram(data, now)
        self._be_patient()
        return is_agreed

    def wait_at(self, place: Waiting | None) -> None:
        """Let packets wait there from now on, and be told when they are due; None: let take() keep them."""
        self.waits_at = place
        self._be_patient()

    def settle(self) -> None:
        """Look at the packets that wait: where they simply go on, all of them go to the sink, else each its own way."""
        if self.waits_at is not None:
            heard_at = self.waits_at.heard_at
            audio, count = self.waits_at.take(self._sink is not None)
            if count:
                self._take_run(audio, count, heard_at)
        elif times := self._times:
            waiting, size = self._waiting, self.size
            self._waiting, self._times = bytearray(), []
            timestamp = None if self._sink is None else self._timeline.expected
            if follow(waiting, size, len(times), self.jitter.straight, timestamp, self._ssrc):
                audio = b"" if self._sink is None else audio_of(waiting, size)
                self._take_run(audio, len(times), times[-1])
            else:
                for place, now in enumerate(times):
                    self._datagram(bytes(waiting[place * size : (place + 1) * size]), now)
        self._be_patient()

    def _be_patient(self) -> None:
        """Say how many packets may wait from now on, and which."""
        due = TOGETHER
        if self._sink is not None and self.size != NO_SIZE:
            due = min(TOGETHER, -(-self._sink.due // (self.size - HEADER_SIZE)))
        self.due = due
        if self.waits_at is not None:
            timestamp = None if self._sink is None else self._timeline.expected
            self.waits_at.expect(due, self._second, self.jitter.straight, timestamp, self._ssrc)

    def _take_run(self, audio: bytes, packets: int, now: float) -> None:
        """Packets that follow each other, the last of which came at `now`."""
        self._received += packets
        self.jitter.run(packets)
        if self._sink is not None:
            self.heard_at = now
            self._timeline.run(len(audio))
            self._sink.frame(audio)

    def _datagram(self, data: bytes, now: float) -> bool:
        size = len(data)
        if not HEADER_SIZE <= size <= MAX_PACKET:
            return self._unusual(data, now)
        first, second, sequence, timestamp, ssrc = _unpack(data)
        if (
            first == VERSION_BITS
            and second & 0x7F in self._audio_types
            and ssrc == self._ssrc
            and size > HEADER_SIZE
            and self.jitter.next(sequence)
        ):
            self._received += 1
            self.size, self._second = size, second & 0x7F
            self._view = self._arrival.view(size)
            sink = self._sink
            if sink is not None:
                self.heard_at = now
                if gap := self._timeline.place(timestamp, size - HEADER_SIZE, now):
                    self._fill(sink, gap)
                    self._background.end()
                sink.frame(data[HEADER_SIZE:])
            return True
        return self._unusual(data, now)

    def record(self, sink: Sink | None, now: float) -> None:
        """Give all audio from now on to this sink; None: to nobody. What is held goes to the sink before."""
        self.drain(now)
        self._sink = sink
        self._timeline.reset(now)
        if sink is not None:
            self.heard_at = now
        self.settle()

    def restart(self, now: float) -> None:
        """Another source, or the same one after a pause that leaves no trace (hold); record() says who listens."""
        self.drain(now)
        self._ssrc = -1
        self.jitter.reset()
        self._timeline.reset(now)
        self.heard_at = now
        self._be_patient()

    def idle(self, now: float) -> None:
        """Called now and then: a recording goes on where the peer sends nothing while it is quiet."""
        if self._sink is not None and self.is_idle(now):
            self.drain(now)
            if gap := self._timeline.idle(now):
                self._fill(self._sink, gap)
            self._be_patient()

    def is_idle(self, now: float) -> bool:
        """Whether audio that is recorded has been away for a while."""
        return self._sink is not None and now - self._last_heard_at() >= IDLE_SECONDS

    def _last_heard_at(self) -> float:
        """When audio came last, or was waited for first."""
        if self.waits_at is not None and self.waits_at.count:
            return self.waits_at.heard_at
        return self._times[-1] if self._times else self.heard_at

    def _unusual(self, data: bytes, now: float) -> bool:
        """A datagram that is not simply the next packet of audio."""
        if len(data) > 1 and data[1] in KINDS and data[1] & 0x7F not in self._audio_types | self._event_types:
            # RTCP on the port of the audio: agreed on (RFC 5761), or of a peer that does not know better.
            if self.on_control is not None:
                self.on_control(data)
            return False
        try:
            payload = payload_of(data)
        except RTPError:
            self.invalid += 1
            return False
        _, second, sequence, timestamp, ssrc = _unpack(data)
        payload_type = second & 0x7F
        if payload_type in self._audio_types:
            if ssrc != self._ssrc:
                self._switch(ssrc, now)
            self.jitter.suit(len(payload))
        elif self._other(payload_type, ssrc, timestamp, payload):
            payload = NO_AUDIO
        else:
            return False
        self._received += 1
        if not payload:
            self._timeline.no_audio()
        if ssrc != self._ssrc:
            return True
        expected = self.jitter.expected
        ready = self.jitter.put(sequence, (sequence, timestamp, payload))
        if ready and self._sink is not None:
            self._deliver(self._sink, ready, expected, now)
        return True

    def drain(self, now: float) -> None:
        """What waits for others, or for a missing packet, waits no more."""
        self.settle()
        expected = self.jitter.expected
        ready = self.jitter.drain()
        if self._sink is not None:
            self._deliver(self._sink, ready, expected, now)

    def _deliver(self, sink: Sink, ready: Iterable[tuple[int, int, bytes]], expected: int, now: float) -> None:
        """expected: the sequence number that would be next; where another comes, packets were lost before it."""
        for sequence, timestamp, audio in ready:
            missing = (sequence - expected) & 0xFFFF if expected >= 0 else 0
            expected = (sequence + 1) & 0xFFFF
            if audio:
                self.heard_at = now
                if gap := self._timeline.place(timestamp, len(audio), now):
                    # A longer gap is a pause of the peer, whatever was lost in it.
                    if gap <= missing * len(audio):
                        sink.lost(gap)
                        # In one piece with what follows, which the sink needs to conceal the end of the gap.
                        rest = min(gap, len(self._silence))
                        gap, audio = gap - rest, self._silence[:rest] + audio
                    self._fill(sink, gap)
                    self._background.end()
                sink.frame(audio)

    def _switch(self, ssrc: int, now: float) -> None:
        self.drain(now)
        self._ssrc = ssrc
        self.jitter.reset()
        self._timeline.renumber()

    def _other(self, payload_type: int, ssrc: int, timestamp: int, payload: bytes) -> bool:
        """A packet that is no audio; False where it is of no payload type agreed."""
        if payload_type in self._event_types:
            try:
                key = self._events.put(ssrc, timestamp, payload)
            except RTPError:
                self.invalid += 1
                return False
            if key is not None:
                self._on_key(key)
            return True
        if payload_type == COMFORT_NOISE:
            if ssrc == self._ssrc:
                self._background.tell(payload)
            return True
        self.invalid += 1
        return False

    def _fill(self, sink: Sink, samples: int) -> None:
        frame = self._background.frame
        for _ in range(samples // FRAME_SAMPLES):
            sink.frame(frame())
        if rest := samples % FRAME_SAMPLES:
            sink.frame(frame()[:rest])
