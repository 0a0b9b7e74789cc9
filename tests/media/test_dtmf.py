"""Keys as telephone events: each is told once, whatever is lost, doubled or late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.media.dtmf import KEYS, EventReceiver, parse_event
from voice.media.rtp import RTPError

SSRC = 0x1020305


def payload(key: str | int, duration: int = 160, end: bool = False) -> bytes:
    number = KEYS.index(key) if isinstance(key, str) else key
    return bytes((number, 0x80 * end | 10)) + duration.to_bytes(2, "big")


def press(key: str, updates: int = 5) -> list[bytes]:
    """The packets of one press: updates, then the end three times (RFC 4733 section 2.5.1.4)."""
    return [payload(key, 160 * count) for count in range(1, updates + 1)] + [payload(key, 160 * updates, True)] * 3


def keys_of(packets: list[tuple[int, int, bytes]]) -> str:
    receiver = EventReceiver()
    return "".join(receiver.put(*packet) or "" for packet in packets)


@given(st.binary(max_size=40))
def test_any_payload_is_an_event_or_an_rtp_error(data: bytes) -> None:
    try:
        event = parse_event(data)
    except RTPError:
        assert len(data) < 4
        return
    assert 0 <= event.event <= 255
    assert 0 <= event.volume <= 63
    assert 0 <= event.duration <= 0xFFFF
    assert (event.key is None) == (event.event > 15)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.binary(min_size=4, max_size=4)), max_size=200))
def test_no_sequence_of_events_tells_what_is_no_key(packets: list[tuple[int, int, bytes]]) -> None:
    assert set(keys_of(packets)) <= set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_told_once(key: str) -> None:
    assert keys_of([(SSRC, 800, part) for part in press(key)]) == key


@given(st.text(KEYS, min_size=1, max_size=12), st.data())
def test_one_packet_of_a_press_is_enough_and_doubles_add_nothing(typed: str, data: st.DataObject) -> None:
    packets: list[tuple[int, int, bytes]] = []
    for place, key in enumerate(typed):
        parts = press(key)
        kept = data.draw(st.lists(st.sampled_from(parts), min_size=1, max_size=2 * len(parts)))
        packets += [(SSRC, 1000 + 1600 * place, part) for part in kept]
    assert keys_of(packets) == typed


def test_a_lost_marker_packet_costs_no_key() -> None:
    assert keys_of([(SSRC, 800, part) for part in press("5")[1:]]) == "5"


def test_only_the_end_is_enough() -> None:
    assert keys_of([(SSRC, 800, payload("5", 800, end=True))]) == "5"


def test_packets_of_two_presses_may_cross() -> None:
    first, second = press("1"), press("2")
    packets = [(SSRC, 800, part) for part in first[:-1]] + [(SSRC, 2400, second[0]), (SSRC, 800, first[-1])]
    assert keys_of(packets + [(SSRC, 2400, part) for part in second[1:]]) == "12"


def test_the_same_key_twice_is_two_keys() -> None:
    assert keys_of([(SSRC, at, part) for at in (800, 2400) for part in press("7")]) == "77"


def test_a_timestamp_used_again_with_another_ssrc_is_another_key() -> None:
    """As sipp does it: each play_dtmf has an SSRC of its own and begins at timestamp 24000."""
    packets = [(ssrc, 24400, part) for ssrc in (SSRC, SSRC + 1, SSRC + 2) for part in press("1")]
    assert keys_of(packets) == "111"


def test_two_keys_with_one_timestamp_are_two_keys() -> None:
    assert keys_of([(SSRC, 800, part) for key in "12" for part in press(key)]) == "12"


def test_a_key_held_longer_than_a_duration_can_say_is_one_key() -> None:
    """RFC 4733 section 2.5.1.3: a new segment begins where the one before reached 0xFFFF samples."""
    start = 0xFFFFF000
    segments = [(SSRC, (start + 0xFFFF * count) & 0xFFFFFFFF, payload("9", 0xFFFF)) for count in range(3)]
    end = (SSRC, segments[-1][1], payload("9", 500, end=True))
    after = (SSRC, (end[1] + 0xFFFF) & 0xFFFFFFFF, payload("9"))
    assert keys_of([*segments, end]) == "9"
    assert keys_of([*segments, end, after]) == "99"


def held(packets: list[tuple[int, int, bytes]]) -> str:
    """The keys told, and in brackets which one goes on: one bracket a packet."""
    heard = ""

    def hear(text: str) -> None:
        nonlocal heard
        heard += text

    receiver = EventReceiver(lambda key: hear(f"({key})"))
    for packet in packets:
        hear(receiver.put(*packet) or "")
    return heard


def test_a_key_goes_on_until_its_last_end() -> None:
    """A press of a second: fifty updates and three ends, one of which tells it."""
    assert held([(SSRC, 800, part) for part in press("1", updates=50)]) == "1" + "(1)" * 52


def test_a_key_goes_on_in_its_next_segment() -> None:
    packets = [
        (SSRC, 800, payload("9", 0xFFFF)),
        (SSRC, 800 + 0xFFFF, payload("9")),
        (SSRC, 900 + 0xFFFF, payload("8")),
    ]
    assert held(packets) == "9(9)8"


def test_late_packets_of_a_key_before_are_no_holding() -> None:
    first, second = press("1"), press("2")
    assert (
        held([(SSRC, 800, first[0]), (SSRC, 2400, second[0]), (SSRC, 800, first[-1]), (SSRC, 2400, second[-1])])
        == "12(2)"
    )


@pytest.mark.parametrize("event", [16, 17, 32, 255])
def test_a_hook_flash_and_other_events_are_no_keys(event: int) -> None:
    assert keys_of([(SSRC, 800, payload(event)), (SSRC, 800, payload(event, end=True))]) == ""


@pytest.mark.parametrize("size", range(4))
def test_an_event_that_is_cut_off_is_refused(size: int) -> None:
    with pytest.raises(RTPError, match="cut off"):
        EventReceiver().put(SSRC, 800, payload("1")[:size])
