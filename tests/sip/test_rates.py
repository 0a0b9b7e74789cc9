"""Token buckets by address."""

from __future__ import annotations

from voice.sip.rates import RateLimiter, bucket_of
from voice.sip.statistics import MAX_KINDS, LogLimiter


def test_a_burst_then_the_rate() -> None:
    limiter = RateLimiter(rate=2.0, burst=4)
    assert [limiter.take("a", 10.0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert [limiter.take("a", 11.0) for _ in range(3)] == [True, True, False]
    assert limiter.take("b", 11.0)
    assert [limiter.take("a", 99.0) for _ in range(5)] == [True] * 4 + [False]


def test_a_charge_may_go_below_empty_but_not_without_end() -> None:
    limiter = RateLimiter(rate=1.0, burst=3)
    for _ in range(100):
        limiter.charge("a", 0.0, 5)
    assert limiter.is_empty("a", 3.5)
    assert limiter.take("a", 4.0)


def test_memory_is_bounded() -> None:
    limiter = RateLimiter(rate=1.0, burst=1, limit=100)
    for number in range(1000):
        limiter.take(f"10.0.{number // 250}.{number % 250}", 0.0)
    assert len(limiter) == 100
    assert not limiter.take("10.0.3.249", 0.0)


def test_an_ipv6_source_is_its_64() -> None:
    assert bucket_of("2001:db8::1") == bucket_of("2001:db8::ffff:1") == "2001:db8::"
    assert bucket_of("2001:db8:0:1::1") != bucket_of("2001:db8::1")
    assert bucket_of("fe80::1%eth0") == "fe80::"
    assert bucket_of("192.0.2.1") == "192.0.2.1"


def test_ipv4_sources_of_a_socket_for_both_are_not_one_another() -> None:
    """Bound to `::` we see them as ::ffff:a.b.c.d, and all of those lie in one /64."""
    assert bucket_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert bucket_of("::ffff:192.0.2.2") == "192.0.2.2"


def test_the_log_forgets_kinds_but_not_the_running_ones() -> None:
    now = 0.0
    limiter = LogLimiter(burst=1, clock=lambda: now)
    assert limiter.admit("first") == 0
    for number in range(MAX_KINDS - 1):
        limiter.admit(str(number))
    assert limiter.admit("first") is None
    assert limiter.admit("one more") == 0
    assert limiter.admit("first") == 0, "it was the oldest"
    assert len(limiter._windows) == MAX_KINDS
    now = 61.0
    assert limiter.admit("first") == 0
    assert limiter.admit("first") is None
