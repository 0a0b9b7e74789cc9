"""Packets back into order, and back to the times at which they were spoken. Pure: no clock, no socket."""

from __future__ import annotations

from typing import Generic, TypeVar

from voice.media import SAMPLE_RATE

Packet = TypeVar("Packet")

HELD_PACKETS = 6
"""A missing packet is given up when this many later ones wait for it: of 20 ms each, it may be 100 ms late."""
HELD_SAMPLES = 960
MOST_HELD, LEAST_HELD = 12, 3
MAX_DROPOUT = 3000
MAX_MISORDER = 100
"""How far a sequence number may jump ahead or back in one step (RFC 3550 appendix A.1)."""
SLACK_SAMPLES = 3 * SAMPLE_RATE // 10
"""How far filling may run ahead of the clock: packets that bring a gap may come faster than they were spoken."""
NOTICEABLE_SAMPLES = SAMPLE_RATE // 10


class JitterBuffer(Generic[Packet]):
    """Puts packets in order by their 16-bit sequence number.

    In order goes straight through, at no delay. A packet that is early is held until the missing ones
    come, or until `patience` are held: then the missing ones count as lost. It holds so few packets
    that nothing a peer sends makes it grow. A jump beyond MAX_DROPOUT or MAX_MISORDER is believed, and its
    packet taken, when a second packet follows it up, as after a restart of the peer.

    expected: the sequence number that is next in order, -1 before the first packet.
    """

    __slots__ = ("_given_up", "_held", "_restart", "duplicated", "expected", "late", "lost", "patience")

    def __init__(self) -> None:
        self.lost = 0
        self.late = 0
        self.duplicated = 0
        self.patience = HELD_PACKETS
        self._given_up: list[int] = []
        self.reset()

    def reset(self) -> None:
        """Start anew with whatever packet comes next; what is held is dropped, the counters stay."""
        self.expected = -1
        self._held: dict[int, Packet] = {}
        self._restart: tuple[int, Packet] | None = None
        self._given_up.clear()

    def suit(self, samples: int) -> None:
        """Be as patient with packets of this length as with those of 20 ms."""
        self.patience = min(MOST_HELD, max(LEAST_HELD, HELD_SAMPLES // max(1, samples)))

    def next(self, sequence: int) -> bool:
        """Count a packet that is the next in order while none is held: True, and it need not be put()."""
        if sequence != self.expected or self._held:
            return False
        self.expected = (sequence + 1) & 0xFFFF
        return True

    @property
    def straight(self) -> int:
        """The sequence number after which packets need not be put() while they follow each other; -1: there is none."""
        return -1 if self._held else self.expected

    def run(self, packets: int) -> None:
        """Count packets that follow each other from `straight` on."""
        self.expected = (self.expected + packets) & 0xFFFF

    def put(self, sequence: int, packet: Packet) -> tuple[Packet, ...] | list[Packet]:
        """Take a packet; what is now ready, in order: none, this one, or it and those that waited."""
        return (packet,) if self.next(sequence) else self._out_of_order(sequence, packet)

    def drain(self) -> list[Packet]:
        """Everything held, in order; what is missing between counts as lost."""
        ready: list[Packet] = []
        while self._held:
            self._skip_to_held()
            self._take_ready(ready)
        return ready

    def _out_of_order(self, sequence: int, packet: Packet) -> tuple[Packet, ...] | list[Packet]:
        if self.expected < 0:
            self.expected = (sequence + 1) & 0xFFFF
            return (packet,)
        ahead = (sequence - self.expected) & 0xFFFF
        if ahead >= 0x10000 - MAX_MISORDER:
            self._old(sequence)
            return ()
        ready: list[Packet] = []
        if ahead >= MAX_DROPOUT:
            before = self._restart
            if before is None or sequence != (before[0] + 1) & 0xFFFF:
                self._restart = sequence, packet
                return ()
            ready = [*self.drain(), before[1], packet]
            self.reset()
            self.expected = (sequence + 1) & 0xFFFF
            return ready
        if sequence in self._held:
            self.duplicated += 1
            return ()
        self._restart = None
        self._held[sequence] = packet
        self._take_ready(ready)
        while len(self._held) >= self.patience:
            self._skip_to_held()
            self._take_ready(ready)
        return ready

    def _take_ready(self, ready: list[Packet]) -> None:
        held = self._held
        while self.expected in held:
            ready.append(held.pop(self.expected))
            self.expected = (self.expected + 1) & 0xFFFF

    def _skip_to_held(self) -> None:
        """Give up what is missing before the first held packet."""
        missing = min((sequence - self.expected) & 0xFFFF for sequence in self._held)
        self.lost += missing
        for step in range(min(missing, MAX_MISORDER)):
            self._given_up.append((self.expected + missing - 1 - step) & 0xFFFF)
        del self._given_up[:-MAX_MISORDER]
        self.expected = (self.expected + missing) & 0xFFFF

    def _old(self, sequence: int) -> None:
        """A packet that is behind: it was given up and comes too late, or it came before."""
        if sequence in self._given_up:
            self._given_up.remove(sequence)
            self.late += 1
        else:
            self.duplicated += 1


class Timeline:
    """Says how much silence belongs before a packet, so that a recording is as long as the time it took.

    Gaps are seen by the 32-bit timestamp: lost packets, telephone events, pauses in which the peer sends
    nothing. What comes out never runs ahead of the clock by more than SLACK_SAMPLES through filling, so
    a timestamp that jumps by hours adds nothing. Times in seconds of any steady clock.

    The count starts with the first packet of audio. Only a peer that is there without any has its pause from reset()
    on counted: until then it may be that nothing has come because it takes its time to begin.
    """

    __slots__ = ("_expected", "_is_there", "_origin", "_samples")

    def __init__(self) -> None:
        self.reset(0.0)

    def reset(self, now: float) -> None:
        """Forget everything: the next packet starts a new count."""
        self._expected = -1
        self._is_there = False
        self._origin = now
        self._samples = 0

    def no_audio(self) -> None:
        """A packet without audio has come: comfort noise, a key that is held down."""
        self._is_there = True

    def renumber(self) -> None:
        """The next packet's timestamp has nothing to do with those before it (another SSRC)."""
        self._expected = -1

    @property
    def expected(self) -> int:
        """The timestamp before which no silence belongs; -1 where none is known."""
        return self._expected

    def run(self, samples: int) -> None:
        """Take packets that follow each other from `expected` on."""
        self._expected = (self._expected + samples) & 0xFFFFFFFF
        self._samples += samples

    def place(self, timestamp: int, samples: int, now: float) -> int:
        """Take a packet that is next in order; how many samples of silence go before it."""
        expected = self._expected
        self._expected = (timestamp + samples) & 0xFFFFFFFF
        if timestamp == expected:
            self._samples += samples
            return 0
        gap = self._gap(timestamp, expected, samples, now)
        self._samples += gap + samples
        return gap

    def idle(self, now: float) -> int:
        """No audio has come for a while: how many samples of silence bring the recording up to the clock."""
        if not self._samples and not self._is_there:
            return 0
        behind = max(0, int((now - self._origin) * SAMPLE_RATE) - self._samples)
        if self._expected >= 0:
            self._expected = (self._expected + behind) & 0xFFFFFFFF
        self._samples += behind
        return behind

    def _gap(self, timestamp: int, expected: int, samples: int, now: float) -> int:
        if not self._samples:
            self._origin = now - samples / SAMPLE_RATE
            return 0
        behind = int((now - self._origin) * SAMPLE_RATE) - self._samples - samples
        if expected < 0:
            return behind if behind > NOTICEABLE_SAMPLES else 0
        jump = (timestamp - expected) & 0xFFFFFFFF
        if jump >= 0x80000000:
            return 0
        # A jump that cannot be true says only that something is missing; then the clock says how much.
        return jump if jump <= behind + SLACK_SAMPLES else max(0, behind)
