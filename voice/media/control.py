"""The RTCP of one call (RFC 3550 section 6): what we report about the peer, and what the peer reports about us.

It is no stream of the loop: its socket is read before each report; until then the kernel keeps the times of arrival.
"""

from __future__ import annotations

import random
import secrets
import socket
import time

from voice.media import SAMPLE_RATE
from voice.media.latch import ANCILLARY_BYTES, SO_TIMESTAMPNS, LatchedSocket, arrival_of, sendable
from voice.media.receiver import Receiver
from voice.media.rtcp import ReportBlock, SenderInfo, build, parse
from voice.media.rtp import RTPError
from voice.media.sender import Sender

REPORT_SECONDS = 5.0
READ_AT_ONCE = 256
DATAGRAM_BYTES = 1500
UNIX_TO_NTP = 2208988800
WATCHED_PACKETS = 8
"""Packets that the jitter is measured on each time: each of them costs as much as ten others."""
WATCHED_AT_FIRST, WATCHED_REPORTS = 2, 4
"""So many times it is measured from one report to the next, then from each fourth one on."""


class Control:
    """Reports about every 5 s. Used in the loop's thread, but for the constructor.

    jitter: of the peer's packets (s, section 6.4.1), measured on some packets now and then. peer_lost,
    peer_jitter (s), round_trip (s): as the peer's last report about us has them, None before it.
    Nothing a peer sends here ends a call or moves its audio.
    """

    def __init__(
        self, sender: Sender, receiver: Receiver, ip: str, port: int, target: tuple[str, int], media: LatchedSocket
    ) -> None:
        """ip, port: ours; taken if they can be, else there are no reports. target: where the peer listens.

        media: the socket of the audio.
        """
        self._sender, self._receiver, self._media = sender, receiver, media
        self._announced = target
        self._target = sendable(*target)
        self._socket = _bound(ip, port)
        self._mux = False
        self._last_packet: tuple[int, float] | None = None
        self._watched = self._watches = self._unwatched = self._differences = 0
        # Of this call alone, so that nobody can tell which calls are ours (RFC 7022).
        self._cname = secrets.token_urlsafe(12)
        self._next = 0.0
        self._peer_report: tuple[int, int, float] | None = None
        self._highest, self._of = -1, -1
        self._received = self._lost = 0
        self._reported = self._peer_left = False
        self.jitter = 0.0
        self.peer_lost: int | None = None
        self.peer_jitter: float | None = None
        self.round_trip: float | None = None

    @property
    def figures(self) -> tuple[float, int | None, float | None, float | None]:
        """jitter, peer_lost, peer_jitter, round_trip."""
        return self.jitter, self.peer_lost, self.peer_jitter, self.round_trip

    @property
    def is_muxed(self) -> bool:
        """Whether reports come on the socket of the audio, where they are timed as they are read."""
        return self._mux

    def retarget(self, target: tuple[str, int], mux: bool) -> None:
        """Send there from now on; mux: over the socket of the audio (RFC 5761)."""
        self._mux = mux
        if target != self._announced:
            self._announced, self._target = target, sendable(*target)

    def attend(self, now: float) -> bool:
        """Called once a second: where it is time for a report, read what has come, and report. False: it was not.

        The kernel tells when it came, so that it may wait.
        """
        is_time = now >= self._next
        if is_time:
            self.read()
            first, self._next = not self._next, now + REPORT_SECONDS * random.uniform(0.5, 1.5)
            if not first and not self._peer_left:
                self._send(goodbye=False)
            self._watch()
        return is_time

    def _watch(self) -> None:
        """Measure the jitter now, if it is time to."""
        self._unwatched += 1
        if self._watches < WATCHED_AT_FIRST or self._unwatched >= WATCHED_REPORTS:
            self._last_packet, self._watched = None, 0
            if self._media.watch(self._arrived):
                self._unwatched = 0

    def close(self) -> None:
        """Read what has come, say goodbye where something was said before, and give the port back."""
        self.read()
        if self._reported:
            self._send(goodbye=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def heard(self, data: bytes, arrival: float) -> bool:
        """Take a datagram that came at this time of day (s); False where it is no RTCP."""
        try:
            compound = parse(data)
        except RTPError:
            return False
        if compound.ssrc is not None and compound.sender is not None:
            self._peer_report = compound.ssrc, compound.sender.ntp >> 16 & 0xFFFFFFFF, arrival
        self._peer_left = bool(compound.goodbyes)
        for block in compound.blocks:
            if block.ssrc == self._sender.ssrc:
                self._judged(block, arrival)
        return True

    def _judged(self, block: ReportBlock, arrival: float) -> None:
        self.peer_lost, self.peer_jitter = block.lost, block.jitter / SAMPLE_RATE
        if block.last_report:
            trip = (((_ntp(arrival) >> 16) - block.last_report - block.delay) & 0xFFFFFFFF) / 65536
            # A peer that counts wrongly would make it hours.
            if trip < 60:
                self.round_trip = trip

    def read(self) -> None:
        """Take what has come so far."""
        # Where no call came of it, the stream is closed in another thread.
        sock = self._socket
        if sock is None:
            return
        for _ in range(READ_AT_ONCE):
            try:
                data, ancillary, _flags, source = sock.recvmsg(DATAGRAM_BYTES, ANCILLARY_BYTES)
            except OSError:
                return
            if source[0] not in (self._announced[0], self._media.source) or not source[1]:
                continue
            arrival = arrival_of(ancillary) or time.time()
            if self.heard(data, arrival):
                # Symmetric, as the audio is.
                self._target = source

    def _send(self, goodbye: bool) -> None:
        sender, wall = self._sender, time.time()
        _, timestamp, sent = sender.numbers
        info = SenderInfo(_ntp(wall), timestamp, sent, sent * sender.samples)
        data = build(sender.ssrc, self._cname, info if sent else None, self._block(wall), goodbye)
        self._reported = True
        if self._mux:
            self._media.send(data)
        elif self._socket is not None and self._target is not None:
            try:
                self._socket.sendto(data, self._target)
            except OSError:
                # The network is away; the media time-out ends such a call.
                return

    def _arrived(self, data: bytes, arrival: float) -> bool:
        """A packet of audio at its time: part of the jitter. True where enough have been looked at."""
        timestamp = self._receiver.timestamp_of(data)
        if timestamp is not None:
            if self._last_packet is not None:
                before, came = self._last_packet
                step = (timestamp - before + 0x80000000 & 0xFFFFFFFF) - 0x80000000
                # A jump of the timestamp is no delay.
                if abs(step) < SAMPLE_RATE:
                    # A mean at first: the RFC's 1/16 would take as many packets as a short call has watched.
                    self._differences = min(16, self._differences + 1)
                    self.jitter += (abs(arrival - came - step / SAMPLE_RATE) - self.jitter) / self._differences
            self._last_packet = timestamp, arrival
        self._watched += 1
        if self._watched < WATCHED_PACKETS:
            return False
        self._watches += 1
        return True

    def _block(self, wall: float) -> ReportBlock | None:
        """What we have heard since the last report."""
        receiver, jitter = self._receiver, self._receiver.jitter
        receiver.settle()
        ssrc, highest = receiver.ssrc, (jitter.expected - 1) & 0xFFFF
        if ssrc < 0 or jitter.expected < 0:
            return None
        ahead = (highest - self._highest) & 0xFFFF
        anew = ssrc != self._of or ahead >= 0x8000
        self._highest, self._of = highest if anew else self._highest + ahead, ssrc
        all_lost = jitter.lost - jitter.late
        received, lost = receiver.received - self._received, max(0, all_lost - self._lost)
        self._received, self._lost = receiver.received, all_lost
        fraction = min(255, 256 * lost // (lost + received)) if lost else 0
        last, delay, jitter_units = 0, 0, round(self.jitter * SAMPLE_RATE)
        if self._peer_report is not None and self._peer_report[0] == ssrc:
            last, delay = self._peer_report[1], max(0, round((wall - self._peer_report[2]) * 65536))
        return ReportBlock(ssrc, fraction, all_lost, self._highest, jitter_units, last, delay)


def _ntp(wall: float) -> int:
    return round((wall + UNIX_TO_NTP) * 0x100000000)


def _bound(ip: str, port: int) -> socket.socket | None:
    """The port of RTCP; None where something else has it: a call does without."""
    sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((ip, port))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except (OSError, OverflowError):
        sock.close()
        return None
    return sock
