"""Ports, our own address, statistics."""

from __future__ import annotations

import pytest

from voice.sip.address import LocalAddress
from voice.sip.errors import SipError, reason_of
from voice.sip.ports import DRAIN_SECONDS, PortPool
from voice.sip.statistics import LogLimiter, PhoneStatistics


def test_ports_are_even_and_leave_room_for_rtcp() -> None:
    pool = PortPool(20001, 20007, lambda: 0.0)
    assert [pool.take() for _ in range(4)] == [20002, 20004, 20006, None]


def test_a_port_rests_before_it_is_used_again() -> None:
    now = [0.0]
    pool = PortPool(20000, 20001, lambda: now[0])
    assert pool.take() == 20000
    pool.give_back(20000)
    assert pool.take() is None
    now[0] = DRAIN_SECONDS
    assert pool.take() == 20000


@pytest.mark.parametrize(
    ("host", "public", "expected"),
    [("192.0.2.1", "", "192.0.2.1"), ("0.0.0.0", "203.0.113.5", "203.0.113.5"),
     ("192.0.2.1", "pbx.example", "pbx.example"), ("0.0.0.0", "", "127.0.0.1"), ("", "", "127.0.0.1")],
)  # fmt: skip
def test_our_address(host: str, public: str, expected: str) -> None:
    assert LocalAddress(host, public).towards("127.0.0.1") == expected


def test_our_address_where_there_is_no_way() -> None:
    assert LocalAddress("0.0.0.0", "").towards("not an address") == "127.0.0.1"


def test_log_lines_of_a_kind_are_limited() -> None:
    now = [0.0]
    limiter = LogLimiter(burst=2, period=60, clock=lambda: now[0])
    assert [limiter.admit("a") for _ in range(5)] == [0, 0, None, None, None]
    assert limiter.admit("b") == 0
    now[0] = 61.0
    assert limiter.admit("a") == 3, "how many were dropped"
    assert limiter.admit("a") == 0


def test_rejections_are_counted_by_status() -> None:
    statistics = PhoneStatistics()
    for status in (486, 503, 486):
        statistics.count_rejected(status)
    assert statistics.rejected == {486: 2, 503: 1}


def test_errors_have_the_usual_phrase() -> None:
    assert (SipError(488).reason, reason_of(699)) == ("Not Acceptable Here", "Unknown")
    assert str(SipError(400, "no via")) == "400 no via"
