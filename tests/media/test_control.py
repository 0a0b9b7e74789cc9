"""RTCP of a call over real sockets: what we say, what we hear, what strangers and bad peers cannot do."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.media.peer import HOST, Ear, Peer, Side, numbered
from tests.support import until
from voice.media.loop import MediaLoop
from voice.media.rtcp import Compound, ReportBlock, SenderInfo, build, parse
from voice.media.rtp import RTPError

FAST = 0.004
UNIX_TO_NTP = 2208988800


class Reporter:
    """The RTCP port of the peer."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.settimeout(10)
        self.address: tuple[str, int] = self.socket.getsockname()

    def report(self) -> Compound:
        return parse(self.socket.recv(2000))

    def send(self, side: Side, data: bytes) -> None:
        self.socket.sendto(data, (HOST, side.stream.inPort + 1))


@pytest.fixture
def reporter() -> Iterator[Reporter]:
    reporter = Reporter()
    yield reporter
    reporter.socket.close()


@pytest.fixture
def reporting(loop: MediaLoop, peer: Peer, reporter: Reporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    """A side that reports whenever attend() is called."""
    monkeypatch.setattr("voice.media.control.REPORT_SECONDS", 0)
    side = Side(loop, peer, control=reporter.address)
    side.stream.start()
    attend(loop, side)
    yield side
    side.stream.stop()
    side.wait_closed()


def attend(loop: MediaLoop, side: Side) -> None:
    loop.call(lambda: side.stream.check(loop.now))


def our_ssrc(peer: Peer) -> int:
    until(lambda: peer.heard, what="audio")
    return peer.heard[-1][1].ssrc


def test_we_report_what_we_send_and_what_we_hear(
    loop: MediaLoop, reporting: Side, peer: Peer, reporter: Reporter
) -> None:
    ear = Ear()
    reporting.stream.record(ear)
    peer.number = 65530
    peer.say(reporting.stream, numbered(10), FAST)
    peer.number += 5
    peer.say(reporting.stream, numbered(15, 10), FAST)
    reporting.wait_received(25)
    attend(loop, reporting)
    said = next(report for report in iter(reporter.report, None) if report.blocks and report.blocks[0].lost == 5)
    assert said.ssrc == our_ssrc(peer)
    assert said.sender is not None
    assert abs((said.sender.ntp >> 32) - UNIX_TO_NTP - time.time()) < 30
    assert said.sender.packets > 0
    assert said.sender.octets == 160 * said.sender.packets
    (block,) = said.blocks
    assert (block.ssrc, block.last_report) == (peer.ssrc, 0)
    assert block.highest & 0xFFFF == (65530 + 29) & 0xFFFF


def test_the_highest_number_grows_beyond_16_bits(
    loop: MediaLoop, reporting: Side, peer: Peer, reporter: Reporter
) -> None:
    peer.number = 65530
    peer.say(reporting.stream, numbered(4), FAST)
    reporting.wait_received(4)
    attend(loop, reporting)
    peer.say(reporting.stream, numbered(4), FAST)
    reporting.wait_received(8)
    attend(loop, reporting)
    highest = [report.blocks[0].highest for report in _reports(reporter, 65537)]
    assert highest[-1] == 65537


def test_the_far_end_s_loss_jitter_and_round_trip_are_known(
    loop: MediaLoop, reporting: Side, peer: Peer, reporter: Reporter
) -> None:
    peer.say(reporting.stream, numbered(5), FAST)
    reporting.wait_received(5)
    attend(loop, reporting)
    said = next(report for report in iter(reporter.report, None) if report.sender is not None)
    assert said.sender is not None
    block = ReportBlock(our_ssrc(peer), 12, 77, 5000, 400, said.sender.ntp >> 16 & 0xFFFFFFFF, 0)
    ntp = 0x1234567800000000
    reporter.send(reporting, build(peer.ssrc, "peer", SenderInfo(ntp, 0, 1, 160), block))
    until(lambda: (attend(loop, reporting), reporting.stream.statistics.peer_lost == 77)[1], what="the report")
    statistics = reporting.stream.statistics
    assert statistics.peer_jitter == 0.05
    assert statistics.round_trip is not None
    assert 0 <= statistics.round_trip < 30
    answer = next(report for report in iter(reporter.report, None) if report.blocks and report.blocks[0].last_report)
    assert answer.blocks[0].last_report == 0x12345678 << 16 & 0xFFFFFFFF | ntp >> 16 & 0xFFFF


@pytest.mark.parametrize(
    "data",
    [
        lambda ssrc: build(5, "x", None, ReportBlock(ssrc ^ 1, 9, 9, 9, 9, 9, 9)),
        lambda ssrc: build(5, "x", None, ReportBlock(ssrc, 9, 9, 9, 9, 9, 9))[:-3],
        lambda ssrc: bytes(1500),
        lambda ssrc: b"",
    ],
    ids=["about others", "cut off", "zeros", "empty"],
)
def test_what_is_broken_or_of_no_concern_costs_nothing(
    loop: MediaLoop, reporting: Side, peer: Peer, reporter: Reporter, data: Callable[[int], bytes]
) -> None:
    reporter.send(reporting, data(our_ssrc(peer)))
    reporter.send(reporting, build(5, "x", None, ReportBlock(our_ssrc(peer), 0, 3, 0, 0, 0, 0)))
    until(lambda: (attend(loop, reporting), reporting.stream.statistics.peer_lost == 3)[1], what="the good one")


def test_a_stranger_s_report_is_not_heard(loop: MediaLoop, reporting: Side, peer: Peer, reporter: Reporter) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.9", 0))
        forged = build(5, "x", None, ReportBlock(our_ssrc(peer), 0, 999, 0, 0, 0, 0))
        stranger.sendto(forged, (HOST, reporting.stream.inPort + 1))
        reporter.send(reporting, build(5, "x", None))
        attend(loop, reporting)
        assert reporting.stream.statistics.peer_lost is None
        assert reporter.report().ssrc == our_ssrc(peer), "reports still go to the peer"


def test_after_goodbye_nothing_is_reported_and_the_call_goes_on(
    loop: MediaLoop, reporting: Side, peer: Peer, reporter: Reporter
) -> None:
    attend(loop, reporting)
    assert reporter.report().ssrc == our_ssrc(peer)
    reporter.send(reporting, build(peer.ssrc, "peer", None, goodbye=True))
    until(lambda: (attend(loop, reporting), reporting.stream._control._peer_left)[1], what="the goodbye")
    reporter.socket.settimeout(0)
    with suppress(BlockingIOError):
        while reporter.report():
            pass
    attend(loop, reporting)
    with pytest.raises(BlockingIOError):
        reporter.report()
    assert reporting.events == []
    heard = len(peer.heard)
    until(lambda: len(peer.heard) > heard + 3, what="audio")


def test_we_say_goodbye_and_give_both_ports_back(
    loop: MediaLoop, peer: Peer, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voice.media.control.REPORT_SECONDS", 0)
    side = Side(loop, peer, control=reporter.address)
    side.stream.start()
    attend(loop, side)
    attend(loop, side)
    side.stream.stop()
    side.wait_closed()
    until(lambda: reporter.report().goodbyes, what="the goodbye")
    for port in (side.stream.inPort, side.stream.inPort + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, port))


def test_a_port_that_is_taken_costs_the_reports_and_not_the_call(
    loop: MediaLoop, peer: Peer, reporter: Reporter
) -> None:
    side = Side(loop, peer, control=reporter.address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, side.stream.inPort + 1))
        side.stream.start()
        attend(loop, side)
        until(lambda: peer.heard, what="audio")
    side.stream.stop()
    side.wait_closed()


def test_both_on_one_port(loop: MediaLoop, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice.media.control.REPORT_SECONDS", 0)
    side = Side(loop, peer, control=(HOST, peer.port), mux=True)
    side.stream.start()
    ear = Ear()
    side.stream.record(ear)
    peer.say(side.stream, numbered(5), FAST)
    side.wait_received(5)
    ours: list[bytes] = []
    monkeypatch.setattr("tests.media.peer.rtp.parse", lambda data: _keep(ours, data))
    attend(loop, side)
    until(lambda: ours, what="our report on the port of the audio")
    assert parse(ours[0]).blocks[0].ssrc == peer.ssrc
    ssrc = parse(ours[0]).ssrc
    assert ssrc is not None
    peer.send(side.stream, build(peer.ssrc, "peer", None, ReportBlock(ssrc, 0, 42, 0, 0, 0, 0)))
    until(lambda: side.stream.statistics.peer_lost == 42, what="the peer's report")
    peer.say(side.stream, numbered(5, 5), FAST)
    side.wait_received(10)
    side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(10))
    assert side.stream.statistics.invalid == 0
    side.stream.stop()
    side.wait_closed()


@pytest.mark.parametrize("is_over", [False, True], ids=["before its end", "at its end"])
def test_what_was_reported_last_is_known_at_the_end(
    loop: MediaLoop, peer: Peer, reporter: Reporter, is_over: bool
) -> None:
    """Reports are read when one of ours is due, which the last one of a call has no time to wait for."""
    side = Side(loop, peer, control=reporter.address)
    side.stream.start()
    reporter.send(side, build(peer.ssrc, "peer", None, ReportBlock(our_ssrc(peer), 0, 7, 0, 0, 0, 0)))
    if is_over:
        side.stream.stop()
        side.wait_closed()
    assert side.stream.last_statistics().peer_lost == 7
    side.stream.stop()
    side.wait_closed()


def test_jitter_is_measured_by_the_kernel_s_clock(loop: MediaLoop, reporting: Side, peer: Peer) -> None:
    """Packets that stand 20 ms apart by their timestamps and come at once are 20 ms off each."""
    peer.say(reporting.stream, numbered(5), FAST)
    reporting.wait_received(5)
    for _ in range(8):
        attend(loop, reporting)
        peer.say(reporting.stream, numbered(20), 0)
        reporting.wait_received(peer.number)
    assert 0.015 < reporting.stream.statistics.jitter < 0.1


def _reports(reporter: Reporter, highest: int) -> Iterator[Compound]:
    while True:
        report = reporter.report()
        if report.blocks:
            yield report
            if report.blocks[0].highest == highest:
                return


def _keep(kept: list[bytes], data: bytes) -> bytes:
    try:
        parse(data)
    except RTPError:
        return data
    kept.append(data)
    return data
