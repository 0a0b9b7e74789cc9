"""The audio of one call: pyVoIP's RTPClient without its threads, paced by the media loop."""

from __future__ import annotations

import time
from collections.abc import Callable

# pyVoIP.SIP cannot be imported before pyVoIP.VoIP; whoever imports this module first gets the order right.
import pyVoIP.VoIP  # noqa: F401
from pyVoIP.RTP import PayloadType, RTPClient, TransmitType

from voice.events import Digit, Event, MediaTimeout, PlaybackDone, Spoke
from voice.media import FRAME_SAMPLES, SAMPLE_RATE
from voice.media.arrivals import PACKET
from voice.media.control import Control
from voice.media.g711 import Law
from voice.media.inband import KeyTonesSink
from voice.media.keys import Keys
from voice.media.latch import LatchedSocket
from voice.media.loop import MediaLoop
from voice.media.receiver import Receiver, Sink
from voice.media.repacket import Repacketiser, samples_of
from voice.media.sender import Playback, Sender
from voice.media.sentence import SentenceEars
from voice.media.statistics import StreamStatistics
from voice.weak import weakly

LAWS = {PayloadType.PCMU: Law.PCMU, PayloadType.PCMA: Law.PCMA}
HOLD_FACTOR = 10


class _Own:
    """What a stream has beside pyVoIP's: all of it in one dict would make that three times as large.

    A base of its own: pyVoIP's classes have no types, so that slots of ours would seem to be all that there is.
    """

    __slots__ = (
        "_announced",
        "_control",
        "_control_target",
        "_ears",
        "_heard_at",
        "_key_tones",
        "_keys",
        "_loop",
        "_packets_heard",
        "_plain",
        "_playback",
        "_reads_seldom",
        "_receiver",
        "_repacketiser",
        "_sender",
        "_sending",
        "_signalling",
        "_sink",
        "_socket",
        "_started",
        "_stopped",
        "_timed_out",
        "event_payload_type",
        "law",
        "media_timeout",
        "name",
        "on_closed",
        "on_event",
        "payload_type",
    )


class MediaStream(_Own, RTPClient):
    """Sends packets of `ptime` ms, mostly 20, plays, tells keys, and hands what it hears to a recorder.

    assoc: payload types by number, with PCMU or PCMA and telephone-event; the first law in it is used.
    Packets go to outIP:outPort until the first valid one has come in; from then on both ways are tied to
    that one's source, and the kernel drops what strangers send. Events are posted in the loop's thread
    by on_event, which must not block. on_closed is called once, when the port is free again.
    """

    def __init__(
        self,
        assoc: dict[int, PayloadType],
        inIP: str,
        inPort: int,
        outIP: str,
        outPort: int,
        sendrecv: TransmitType,
        dtmf: Callable[[str], None] | None = None,
        *,
        loop: MediaLoop,
        on_event: Callable[[Event], None],
        on_closed: Callable[[], None] | None = None,
        call_id: str = "",
        media_timeout: float = 0,
        control: tuple[str, int] | None = None,
        mux: bool = False,
        signalling: str = "",
    ) -> None:
        """media_timeout: seconds without a packet until MediaTimeout, ten times as many on hold; 0: never.

        control: where the other side wants RTCP, None without; mux: on the port of the audio.
        signalling: the address that the other side's requests come from.
        ValueError where assoc has no G.711. dtmf is pyVoIP's and not used: keys are Digit events.
        """
        super().__init__(assoc, inIP, inPort, outIP, outPort, sendrecv, dtmf)
        del self.pmin, self.pmout
        agreed = next(((number, LAWS[kind]) for number, kind in assoc.items() if kind in LAWS), None)
        if agreed is None:
            raise ValueError("no G.711 among the payload types")
        self.payload_type, self.law = agreed
        self.event_payload_type = next((number for number, kind in assoc.items() if kind is PayloadType.EVENT), None)
        self.name, self.media_timeout = call_id, media_timeout
        self.on_event, self.on_closed = on_event, on_closed
        self._loop = loop
        self._sender = Sender(self.law, self.payload_type, weakly(self._played))
        keys = self._keys = Keys(weakly(self._key), lambda: loop.now)
        self._receiver = Receiver(
            self.law,
            self.payload_type,
            self.event_payload_type,
            lambda key: keys.tell(key, "event"),
            loop.arrival,
            lambda key: keys.goes_on(key, "event"),
        )
        self._sink: Sink | None = None
        self._ears: SentenceEars | None = None
        self._playback: Playback | None = None
        self._key_tones: KeyTonesSink | None = None
        self._announced, self._control_target = (outIP, outPort), (control, mux)
        self._signalling = signalling
        self._control: Control | None = None
        self._socket: LatchedSocket | None = None
        self._started = self._stopped = False
        self._sending = self._plain = True
        self._reads_seldom = False
        self._repacketiser: Repacketiser | None = None
        self._packets_heard, self._heard_at, self._timed_out = -1, 0.0, False

    # -- what SIP and flows call, from any thread

    def open(self) -> None:
        """Take the port, without sending yet; OSError. start() does it where it was not done."""
        if self._socket is None:
            self._socket = LatchedSocket(
                self.inIP,
                self.inPort,
                self._announced,
                self._receiver.datagram,
                self._signalling,
                self._loop.arrival,
                self._receiver.take,
            )
            self.sin = self.sout = self._socket.socket
            target, mux = self._control_target
            if target is not None:
                self._control = Control(self._sender, self._receiver, self.inIP, self.inPort + 1, target, self._socket)
                self._control.retarget(target, mux)
                self._receiver.on_control = lambda data: self._control and self._control.heard(data, time.time())

    def start(self) -> None:
        """Begin to send and receive; OSError. Nothing happens where it runs or has been stopped."""
        if self._started or self._stopped:
            return
        self.open()
        self._started = True
        self._loop.add(self)
        self._loop.submit(self._pace)
        if self.event_payload_type is None:
            self._loop.submit(self._listen)

    def stop(self) -> None:
        """End for good; the port is given back in the loop's thread. Harmless when it is over."""
        if self._stopped:
            return
        self._stopped = True
        self.NSD = False
        if self._started:
            self._loop.remove(self)
        else:
            self._close()

    @property
    def sending(self) -> bool:
        """False while the call is on hold: nothing is sent, and what plays waits."""
        return bool(self._sending)

    @sending.setter
    def sending(self, value: bool) -> None:
        if value != self._sending:
            self._sending = value
            self._loop.submit(self._hold_or_resume)

    @property
    def ptime(self) -> int:
        """ms of audio in each packet that we send."""
        return self._sender.samples * 1000 // SAMPLE_RATE

    @ptime.setter
    def ptime(self, value: int) -> None:
        """Send packets of this length, 10 to 60 ms; of 20 ms where it is another."""
        samples = samples_of(value)
        if samples != self._sender.samples:
            self._loop.submit(lambda: self._repacketise(samples))

    def retarget(self, ip: str, port: int, control: tuple[str, int] | None = None, mux: bool = False) -> None:
        """The other side has another address now: send there, and listen to whoever answers from anew."""
        if control is not None:
            self._loop.submit(lambda: self._retarget_control(control, mux))
        if (ip, port) == self._announced:
            return
        self._announced = (ip, port)
        self.outIP, self.outPort = ip, port
        self._loop.submit(lambda: self._dissolve((ip, port)))

    def renumber(self, payload_type: int, event_payload_type: int | None) -> None:
        """The law and telephone events have other payload types now, both ways; the law itself stays."""
        if (payload_type, event_payload_type) == (self.payload_type, self.event_payload_type):
            return
        self.payload_type, self.event_payload_type = payload_type, event_payload_type
        self._loop.submit(lambda: self._renumber(payload_type, event_payload_type))

    def play(self, payload: bytes, token: object, start: int = 0) -> None:
        """Send this, from the sample `start` on, in place of what plays; the token comes back in PlaybackDone.

        It does not where something else is played, or the playback is stopped, before its end.
        """
        self._sender.playback = self._playback = Playback(payload, token, start)
        self._loop.submit(self.send_apart)

    def stop_playback(self) -> None:
        """Send silence; played_samples stays."""
        self._sender.playback = None
        self._loop.submit(self.send_apart)

    @property
    def played_samples(self) -> int:
        """How far into its payload the playback is, or was when it ended or was stopped."""
        playback = self._playback
        return min(self._sender.position_of(playback), len(playback.payload)) if playback is not None else 0

    def hear_speech(self, wanted: bool) -> None:
        """Post Spoke at the end of each sentence from now on, or no more; not while something records."""
        self._loop.submit(lambda: self._hear_speech(wanted))

    def record(self, sink: Sink) -> None:
        """Give what is heard from now on to sink.frame(payload), in the loop's thread, in order and complete.

        Payloads come as long as they were sent, 10 to 60 ms and more; silence stands for what is missing.
        """
        self._loop.submit(lambda: self._listen(sink))

    def stop_recording(self) -> None:
        """Returns when the sink will not be called again."""
        self._loop.call(self._listen)

    def digit(self, key: str) -> None:
        """A key that was told by SIP INFO."""
        self._loop.submit(lambda: self._keys.tell(key, "info"))

    @property
    def statistics(self) -> StreamStatistics:
        """Packets so far."""
        receiver, jitter = self._receiver, self._receiver.jitter
        return StreamStatistics(
            receiver.received,
            jitter.lost,
            jitter.duplicated,
            jitter.late,
            self._sender.numbers[2],
            receiver.invalid,
            *(self._control.figures if self._control is not None else ()),
        )

    def last_statistics(self) -> StreamStatistics:
        """All packets, and what the peer has reported up to now: it is read here, in the loop's thread."""
        if self._control is not None:
            self._loop.call(self._control.read)
        return self.statistics

    def read(self, length: int = 160, blocking: bool = True) -> bytes:
        """pyVoIP's way of 8-bit linear audio is not offered; see record()."""
        raise NotImplementedError("use record()")

    def write(self, data: bytes) -> None:
        """pyVoIP's way of 8-bit linear audio is not offered; see play()."""
        raise NotImplementedError("use play()")

    # -- what the loop calls

    def fileno(self) -> int:
        return int(self.sin.fileno())

    def receive(self) -> None:
        """Read one datagram."""
        if self._socket is not None:
            self._socket.receive(self._loop.now)
            if self._receiver.size == PACKET and self._socket.is_plain:
                self._reads_seldom = self._is_patient
                self._loop.read_together(self, self._receiver, self._reads_seldom)
                if self._receiver.waits_at is not None:
                    self._suit_reading()

    def tick(self) -> None:
        """Send the packet that is due."""
        sender = self._sender
        if not self._plain:
            self._tick_otherwise()
        elif self._socket is not None and self._socket.send(sender.packet()):
            sender.sent += 1
            if self._socket.is_plain:
                self._loop.send_together(self, sender)

    def check(self, now: float) -> None:
        """Once a second: RTCP, silence that nobody sends, and the media time-out."""
        reported = self._control is not None and self._control.attend(now)
        if reported and self._socket is not None and not self._socket.is_plain:
            self._take_unread()
            self.read_apart()
        # Also where packets come: comfort noise and keys bring no audio.
        if self._sending and self._receiver.is_idle(now):
            self._take_unread()
            self._receiver.idle(now)
        received = self._receiver.received
        if received != self._packets_heard:
            self._packets_heard, self._heard_at, self._timed_out = received, now, False
            return
        limit = self.media_timeout if self._sending else self.media_timeout * HOLD_FACTOR
        if limit and not self._timed_out and now - self._heard_at >= limit:
            self._timed_out = True
            self.on_event(MediaTimeout())

    def removed(self, broken: bool) -> None:
        """Take in what is still queued, then close. Of a broken stream nothing more will come."""
        try:
            self.go_apart()
            if not broken and self._socket is not None:
                self._socket.receive_queued(self._loop.now)
            self._receiver.record(None, self._loop.now)
        finally:
            self._close()
            if broken:
                self._stopped = True
                self.on_event(MediaTimeout())

    # -- what the loop calls where packets are sent and read together with others'

    def send_apart(self) -> None:
        """Send by itself."""
        self._loop.send_apart(self, self._sender)

    def read_apart(self) -> None:
        """Read by itself."""
        self._loop.read_apart(self, self._receiver)

    def take_apart(self, data: bytes, now: float) -> None:
        """Take a datagram that is not the next packet of audio."""
        self._receiver.datagram(data, now)
        if self._receiver.size != PACKET:
            self.read_apart()

    def settle(self) -> None:
        """Take what waits."""
        self._receiver.settle()
        self._suit_reading()

    def go_apart(self) -> None:
        """Send and read by itself."""
        self.send_apart()
        self.read_apart()

    # -- inside

    @property
    def _is_patient(self) -> bool:
        """A recording that goes on for a while: what comes need not be looked at at once, but for reports (RTCP)."""
        return self._receiver.is_patient and not (self._control is not None and self._control.is_muxed)

    @property
    def _first_sink(self) -> Sink | None:
        """Who is given what is heard, before it is anybody else's."""
        return self._sink if self._key_tones is None else self._key_tones

    def _suit_reading(self) -> None:
        """Read seldom or often, as it suits whoever listens now: the next packet joins the others of that kind."""
        if self._reads_seldom is not self._is_patient:
            self.read_apart()

    def _take_unread(self) -> None:
        """Take what has come since the last visit, also where the loop has not come to it in this round."""
        if self._socket is not None and (self._receiver.waits_at is not None or self._socket.is_plain):
            self._socket.receive_queued(self._loop.now)

    def _played(self, token: object) -> None:
        self.on_event(PlaybackDone(token))

    def _key(self, key: str) -> None:
        if self._ears is not None:
            # Its tone is no speech, nor is the click of the phone.
            self._ears.begin_anew()
        self.on_event(Digit(key))

    def _spoke(self) -> None:
        self.on_event(Spoke())

    def _hear_speech(self, wanted: bool) -> None:
        if wanted and self._sink is None:
            self._ears = SentenceEars(self.law, weakly(self._spoke), self._sender)
            self._listen(self._ears)
        elif not wanted and self._ears is not None:
            self._listen()

    def _listen(self, sink: Sink | None = None) -> None:
        """Give what is heard to a recorder or to nobody; before it stand ears for keys, where they come as tones."""
        # What came before is for whoever listened until now, also what has not been read yet.
        self._take_unread()
        self._receiver.drain(self._loop.now)
        self._sink = sink
        if sink is not self._ears:
            self._ears = None
        if self.event_payload_type is None:
            keys = self._keys
            tones = self._key_tones or KeyTonesSink(
                self.law, lambda key: keys.tell(key, "tone"), lambda key: keys.goes_on(key, "tone")
            )
            tones.sink, self._key_tones = sink, tones
        else:
            self._key_tones = None
        self._attach()

    def _attach(self) -> None:
        """Let who listens hear; on hold nobody does, since that is not said to us: music, or talk with others."""
        self._receiver.record(self._first_sink if self._sending else None, self._loop.now)
        self._suit_reading()

    def _dissolve(self, target: tuple[str, int]) -> None:
        self.go_apart()
        self._restart()
        if self._socket is not None:
            self._socket.dissolve(target, self._loop.now)

    def _tick_otherwise(self) -> None:
        """On hold, or packets of another length than 20 ms."""
        repacketiser = self._repacketiser
        if not self._sending:
            (repacketiser or self._sender).pause()
        elif repacketiser is not None and self._socket is not None and (packet := repacketiser.tick()) is not None:
            self._sender.sent += self._socket.send(packet)

    def _repacketise(self, samples: int) -> None:
        self.send_apart()
        self._sender.samples = samples
        if self._repacketiser is not None:
            self._repacketiser.resize(samples)
        else:
            self._repacketiser = Repacketiser(self._sender, samples)
        self._plain = False
        self._pace()

    def _pace(self) -> None:
        """Be ticked as often as the length of the packets asks for."""
        if self._repacketiser is not None:
            self._loop.pace(self, often=self._repacketiser.step < FRAME_SAMPLES)

    def _retarget_control(self, target: tuple[str, int], mux: bool) -> None:
        if self._control is not None:
            self._control.retarget(target, mux)

    def _renumber(self, payload_type: int, event_payload_type: int | None) -> None:
        self.go_apart()
        self._sender.payload_type = payload_type
        self._receiver.renumber(payload_type, event_payload_type)
        if (event_payload_type is None) is not (self._key_tones is not None):
            self._key_tones = None
            self._listen(self._sink)

    def _hold_or_resume(self) -> None:
        self.send_apart()
        self._plain = self._sending and self._repacketiser is None
        if not self._sending and self._socket is not None:
            # What was said before a hold is recorded, also where it is not read yet. Behind a hold what is not read yet
            # may be the first word: it is left for whoever listens from now on.
            self._socket.receive_queued(self._loop.now)
        self._restart()
        if (ears := self._first_sink) is not None:
            ears.interrupted()
        self._attach()

    def _restart(self) -> None:
        """Hold, its end, another address: a new start for the sequence of packets and for the media time-out."""
        self._receiver.restart(self._loop.now)
        self._packets_heard = -1

    def _close(self) -> None:
        self._receiver.on_control = None
        try:
            if self._control is not None:
                self._control.close()
        finally:
            if self._socket is not None:
                self._socket.close()
            on_closed, self.on_closed = self.on_closed, None
            if on_closed is not None:
                on_closed()
