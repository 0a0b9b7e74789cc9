"""The media loop: one thread that paces the audio of every call of the process."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from queue import SimpleQueue

from voice.media import FRAME_SECONDS
from voice.media.alike import Arrival
from voice.media.member import Member, Stream, attempt
from voice.media.receiver import Receiver
from voice.media.sender import Sender
from voice.media.together import Together

log = logging.getLogger(__name__)
SLOTS = 4
OPENED = {2: 75}
OPENED_TOGETHER = {1: 120, 2: 300}
"""How many slots are used, and up to how many streams in each: those that send together are sooner done."""
CROWD = 50
"""With so many streams a recording that begins to be read is read seldom: with fewer nobody needs to wait for what #
does."""
PERIOD = FRAME_SECONDS / SLOTS
RESYNC_SECONDS = 0.2
GIVEN_SECONDS = 0.05
"""What is left to all other threads of the process where the loop cannot keep up."""
ROUNDS = 4
REAL_TIME_PRIORITY = 30
CHECK_ROUNDS, CHECK_PARTS = round(1 / FRAME_SECONDS), 10


class MediaLoop:
    """Wakes at absolute times, sends for one slot of streams, then reads what has come.

    A stream belongs to the emptiest of the slots in use: one, two that are 10 ms apart, or four that are 5 ms apart,
    the more of them the more crowded they are; one that is ticked each 10 ms also to the slot opposite. `now` is the
    monotonic time of the wake-up in seconds. late: wake-ups more than 5 ms behind; resynced: how often it was 0.2 s
    behind and gave the missed time up. arrival: what its streams read into.

    Streams send and read together with others where the system can do that (docs/adr/0015): they say when, and when
    no more.
    """

    def __init__(self, together: bool = True, crowd: int = CROWD) -> None:
        """together: False where each sends and reads by itself. crowd: streams from which on some are read seldom."""
        self.late = 0
        self.resynced = 0
        self.now = time.monotonic()
        self.arrival = Arrival()
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        # Who has a turn in each slot, and who of them sends by itself.
        self._slots: list[dict[Stream, None]] = [{} for _ in range(SLOTS)]
        self._ticks: list[dict[Stream, Callable[[], None]]] = [{} for _ in range(SLOTS)]
        self._readers: dict[int, Stream] = {}
        self._streams: dict[Stream, tuple[int, int]] = {}
        self._epoll = select.epoll()
        self._running = False
        self._over = False
        self._wanted, self._crowd = together, crowd
        self._together: Together | None = None
        self._thread = threading.Thread(target=self._run, name="media", daemon=True)

    def __len__(self) -> int:
        """How many streams it paces."""
        return len(self._streams)

    def start(self) -> None:
        """Start the thread; once."""
        self._running = True
        if self._wanted:
            self._together = Together.of(SLOTS, self._give_up)
        self._thread.start()

    def stop(self) -> None:
        """Remove all streams and end the thread; blocks until then. Harmless when it is over."""
        if self._thread.is_alive():
            self.submit(self._end)
            self._thread.join()

    def add(self, stream: Stream) -> None:
        """Pace a stream from the next wake-up on."""
        self.submit(lambda: self._add(stream))

    def remove(self, stream: Stream) -> None:
        """Stop pacing a stream; the loop then calls its removed()."""
        self.submit(lambda: self._remove(stream, broken=False))

    def pace(self, stream: Stream, often: bool) -> None:
        """Tick a stream each 10 ms from now on, or each 20 ms again. In the loop's thread, not within a tick."""
        if stream in self._streams:
            opposite = self._streams[stream][1] - SLOTS // 2
            if often:
                self._slots[opposite][stream] = None
                self._ticks[opposite][stream] = stream.tick
            else:
                self._leave(stream, opposite)

    def send_together(self, stream: Member, sender: Sender) -> None:
        """Send this one's packets together with others', if that can be done. In the loop's thread."""
        known, together = self._streams.get(stream), self._together
        if known is not None and together is not None and together.send_for(stream, sender, known[1]):
            del self._ticks[known[1]][stream]

    def send_apart(self, stream: Member, sender: Sender) -> None:
        """Tick it again. In the loop's thread; harmless where it is ticked."""
        if sender.departure is not None:
            Together.leave(sender, None)
            if stream in self._streams:
                self._ticks[self._streams[stream][1]][stream] = stream.tick

    def read_together(self, stream: Member, receiver: Receiver, seldom: bool) -> None:
        """Read this one's packets together with others', if that can be done. In the loop's thread.

        seldom: each 80 ms where there are many, since nobody waits for what they bring; else each 20 ms.
        """
        known, together = self._streams.get(stream), self._together
        seldom = seldom and len(self._streams) >= self._crowd
        if known is not None and together is not None and together.read_for(stream, receiver, known[1], seldom):
            self._epoll.unregister(known[0])
            del self._readers[known[0]]

    def read_apart(self, stream: Member, receiver: Receiver) -> None:
        """Have it read again. In the loop's thread; harmless where it is read."""
        if receiver.waits_at is not None:
            try:
                Together.leave(None, receiver)
            finally:
                if stream in self._streams:
                    self._listen_to(stream, self._streams[stream][0])

    def submit(self, command: Callable[[], None]) -> None:
        """Run something in the loop's thread at its next wake-up (at once after stop()); it must not block."""
        if self._over:
            self._command(command)
        else:
            self._commands.put(command)

    def call(self, command: Callable[[], None]) -> None:
        """Run something in the loop's thread and wait for it; at once where the loop does not run."""
        if not self._thread.is_alive() or threading.current_thread() is self._thread:
            command()
            return
        done = threading.Event()

        def run() -> None:
            try:
                command()
            finally:
                done.set()

        self.submit(run)
        while not done.wait(1.0):
            if not self._thread.is_alive() and not done.is_set():
                command()
                return

    def _run(self) -> None:
        _come_first()
        monotonic, sleep, commands = time.monotonic, time.sleep, self._commands
        deadline = monotonic()
        number = 0
        while self._running:
            if not self._streams:
                self._command(commands.get())
                deadline = monotonic()
            slot = self._slots[number % SLOTS]
            if self._streams and not slot:
                # Nobody sends in this one: the processor sleeps on.
                number += 1
                deadline += PERIOD
                continue
            ahead = deadline - monotonic()
            if ahead > 0:
                sleep(ahead)
            elif ahead < -PERIOD:
                self.late += 1
                if ahead < -RESYNC_SECONDS:
                    self.resynced += 1
                    # With more calls than the processor carries nobody else would ever run, and no call would end.
                    sleep(GIVEN_SECONDS)
                    deadline = monotonic()
            self.now = monotonic()
            while not commands.empty():
                self._command(commands.get())
            # First send, then read: how much there is to read varies, and would make packets leave unevenly.
            self._send(number % SLOTS)
            self._read(number % SLOTS, number // SLOTS)
            turn, rest = divmod(number // SLOTS % CHECK_ROUNDS, CHECK_ROUNDS // CHECK_PARTS)
            if not rest:
                self._check(slot, turn)
            number += 1
            deadline += PERIOD
        for stream in list(self._streams):
            self._remove(stream, broken=False)
        self._over = True
        while not commands.empty():
            self._command(commands.get())
        self._epoll.close()
        if self._together is not None:
            self._together.disband()

    def _read(self, place: int, round_: int) -> None:
        """Read one datagram of each readable stream, and some more where more wait, as after a delay."""
        if self._together is not None:
            self._try_together(lambda together: together.read(place, round_, self.now))
        if not self._readers:
            return
        readers, poll = self._readers, self._epoll.poll
        limit = len(readers) + 1
        for _ in range(ROUNDS):
            events = poll(0, limit)
            if not events:
                return
            for stream in [readers[descriptor] for descriptor, _event in events]:
                attempt(stream, "receiving", stream.receive, self._give_up)

    def _send(self, place: int) -> None:
        # Whoever sends by himself joins the others after that, and leaves them after they have sent.
        alone = tuple(self._ticks[place].items())
        if self._together is not None:
            self._try_together(lambda together: together.send(place))
        for stream, tick in alone:
            attempt(stream, "sending", tick, self._give_up)

    def _try_together(self, act: Callable[[Together], object]) -> None:
        """Go on one by one where that fails."""
        together = self._together
        if together is not None:
            try:
                act(together)
            except Exception:
                log.exception("packets are sent and read one by one from now on, which costs more")
                self._together = None
                together.disband()

    def _check(self, slot: dict[Stream, None], turn: int) -> None:
        """Check a part of the slot: all at once would make packets late, and one by one would cost more."""
        for stream in tuple(islice(slot, turn, None, CHECK_PARTS)):
            attempt(stream, "being checked", partial(stream.check, self.now), self._give_up)

    def _command(self, command: Callable[[], None]) -> None:
        try:
            command()
        except Exception:
            log.exception("a command to the media loop failed")

    def _add(self, stream: Stream) -> None:
        if stream in self._streams:
            return
        if self._over:
            stream.removed(broken=False)
            return
        descriptor = stream.fileno()
        place = self._emptiest()
        self._streams[stream] = (descriptor, place)
        self._slots[place][stream] = None
        self._ticks[place][stream] = stream.tick
        self._listen_to(stream, descriptor)

    def _emptiest(self) -> int:
        """The slot for one more stream. Each wake-up has its price: more are opened only where these are crowded."""
        sizes = [len(slot) for slot in self._slots]
        opened = OPENED if self._together is None else OPENED_TOGETHER
        for slots, crowd in opened.items():
            place = min(range(0, SLOTS, SLOTS // slots), key=sizes.__getitem__)
            if sizes[place] < crowd:
                return place
        return min(range(SLOTS), key=sizes.__getitem__)

    def _listen_to(self, stream: Stream, descriptor: int) -> None:
        self._epoll.register(descriptor, select.EPOLLIN)
        self._readers[descriptor] = stream

    def _leave(self, stream: Stream, place: int) -> None:
        self._slots[place].pop(stream, None)
        self._ticks[place].pop(stream, None)

    def _remove(self, stream: Stream, broken: bool) -> None:
        known = self._streams.pop(stream, None)
        if known is None:
            return
        descriptor, place = known
        self._leave(stream, place)
        self._leave(stream, place - SLOTS // 2)
        try:
            if self._readers.pop(descriptor, None) is not None:
                self._epoll.unregister(descriptor)
            stream.removed(broken)
        except Exception:
            log.exception("call=%s media failed at its end", stream.name)

    def _give_up(self, stream: Stream) -> None:
        self._remove(stream, broken=True)

    def _end(self) -> None:
        self._running = False


def _come_first() -> None:
    """Put this thread before all others of the machine, where the system lets us: packets are due in milliseconds.

    It never computes for long at a time, so nobody waits for it noticeably.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REAL_TIME_PRIORITY))
    except OSError:
        log.info("no real-time priority: beside busy neighbours audio may stutter (docs/operations.md, Audio in time)")
