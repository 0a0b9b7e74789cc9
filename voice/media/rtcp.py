"""RTCP packets (RFC 3550 section 6): bytes in, values out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error

from voice.media.rtp import RTPError

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203
KINDS = range(200, 208)
"""Second byte of what may come: those above, APP, feedback (RFC 4585), extended reports (RFC 3611)."""
CNAME = 1
MAX_PACKETS = 32
_HEADER, _SSRC, _SENDER, _BLOCK = Struct("!BBH"), Struct("!I"), Struct("!QIII"), Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How the one who sends it hears a source. ssrc: of that source; fraction_lost: of 256, since the report before;
    lost: packets in all, less doubles; highest: sequence number with its cycles above 16 bits; jitter: samples;
    last_report: middle 32 bits of the NTP time of the source's last sender report, 0 for none; delay: since it, in
    1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """ntp: 32.32 bits, seconds since 1900; timestamp: the same moment in samples of the stream."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Compound:
    """A datagram. ssrc: of who sent the first report in it, None without one; sender: where it was a sender report."""

    ssrc: int | None
    sender: SenderInfo | None
    blocks: tuple[ReportBlock, ...]
    goodbyes: tuple[int, ...]


def parse(data: bytes) -> Compound:
    """Read a datagram; RTPError where it is no RTCP, cut off, or its lengths do not add up (appendix A.2).

    Packets of other kinds are passed over.
    """
    ssrc: int | None = None
    sender: SenderInfo | None = None
    blocks: list[ReportBlock] = []
    goodbyes: list[int] = []
    start = 0
    try:
        for _ in range(MAX_PACKETS):
            first, kind, words = _HEADER.unpack_from(data, start)
            end = start + 4 * (words + 1)
            if first >> 6 != 2 or kind not in KINDS or end > len(data) or (first & 0x20 and end != len(data)):
                raise RTPError("no RTCP")
            body, number = data[start + 4 : end], first & 0x1F
            if kind in (SENDER_REPORT, RECEIVER_REPORT):
                reporter, info, reported = _report(body, number, kind == SENDER_REPORT)
                if ssrc is None:
                    ssrc, sender = reporter, info
                blocks += reported
            elif kind == GOODBYE:
                goodbyes += Struct(f"!{number}I").unpack_from(body)
            start = end
            if start == len(data):
                return Compound(ssrc, sender, tuple(blocks), tuple(goodbyes))
    except error as cut:
        raise RTPError("RTCP is cut off") from cut
    raise RTPError("too many RTCP packets")


def _report(body: bytes, number: int, is_sender: bool) -> tuple[int, SenderInfo | None, list[ReportBlock]]:
    """SSRC of the reporter, what a sender says of itself, and its blocks."""
    (reporter,) = _SSRC.unpack_from(body)
    info = SenderInfo(*_SENDER.unpack_from(body, 4)) if is_sender else None
    start = 4 + (_SENDER.size if is_sender else 0)
    blocks = []
    for place in range(number):
        ssrc, losses, *rest = _BLOCK.unpack_from(body, start + place * _BLOCK.size)
        lost = losses & 0xFFFFFF
        blocks.append(ReportBlock(ssrc, losses >> 24, lost - (lost >> 23 << 24), *rest))
    return reporter, info, blocks


def build(
    ssrc: int, cname: str, sender: SenderInfo | None, block: ReportBlock | None = None, goodbye: bool = False
) -> bytes:
    """A compound packet: a report (of a sender where there is something to say of one), SDES with the CNAME, BYE."""
    report = ssrc.to_bytes(4, "big")
    if sender is not None:
        # The count of seconds begins anew in 2036 (RFC 5905 section 6).
        ntp, *numbers = sender.ntp & 0xFFFFFFFFFFFFFFFF, sender.timestamp, sender.packets, sender.octets
        report += _SENDER.pack(ntp, *(number & 0xFFFFFFFF for number in numbers))
    if block is not None:
        lost = min(max(block.lost, -0x800000), 0x7FFFFF) & 0xFFFFFF
        numbers = [block.highest, block.jitter, block.last_report, block.delay]
        report += _BLOCK.pack(block.ssrc, block.fraction_lost << 24 | lost, *(n & 0xFFFFFFFF for n in numbers))
    name = cname.encode()[:255]
    item = bytes((CNAME, len(name))) + name
    # A list of items ends with at least one zero byte, at a multiple of 4.
    description = ssrc.to_bytes(4, "big") + item + bytes(4 - len(item) % 4)
    kind = RECEIVER_REPORT if sender is None else SENDER_REPORT
    data = _packet(kind, int(block is not None), report) + _packet(SOURCE_DESCRIPTION, 1, description)
    return data + _packet(GOODBYE, 1, ssrc.to_bytes(4, "big")) if goodbye else data


def _packet(kind: int, number: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | number, kind, len(body) // 4) + body
