"""Packets back into order, and the silence that stands for what never came."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.media.jitter import HELD_PACKETS, JitterBuffer, Timeline


def through(sequences: list[int], buffer: JitterBuffer[int] | None = None) -> list[int]:
    buffer = buffer or JitterBuffer()
    out: list[int] = []
    for sequence in sequences:
        out += buffer.put(sequence & 0xFFFF, sequence)
    return out + buffer.drain()


@pytest.mark.parametrize(
    ("came", "goes", "lost", "late", "duplicated"),
    [
        ([1, 2, 3], [1, 2, 3], 0, 0, 0),
        ([1, 3, 2, 4], [1, 2, 3, 4], 0, 0, 0),
        ([1, 4, 3, 2, 5], [1, 2, 3, 4, 5], 0, 0, 0),
        ([1, 2, 2, 3, 3, 3], [1, 2, 3], 0, 0, 3),
        ([1, 3, 3, 2], [1, 2, 3], 0, 0, 1),
        ([1, 3, 4, 5, 6, 7], [1, 3, 4, 5, 6, 7], 1, 0, 0),
        ([1, 3, 4, 5, 6, 7, 8, 2, 9], [1, 3, 4, 5, 6, 7, 8, 9], 1, 1, 0),
        ([1, 3, 4, 5, 6, 7, 2, 8], [1, 2, 3, 4, 5, 6, 7, 8], 0, 0, 0),
        ([1, 5, 6, 7, 8, 9], [1, 5, 6, 7, 8, 9], 3, 0, 0),
        ([1, 3, 5, 7, 9, 10, 11], [1, 3, 5, 7, 9, 10, 11], 4, 0, 0),
        ([1, 2, 5], [1, 2, 5], 2, 0, 0),
        ([5, 4, 6], [5, 6], 0, 0, 1),
        ([65534, 65535, 65536, 65537], [65534, 65535, 65536, 65537], 0, 0, 0),
        ([65534, 65536, 65535, 65537], [65534, 65535, 65536, 65537], 0, 0, 0),
        ([65534, 65536, 65537, 65538, 65539], [65534, 65536, 65537, 65538, 65539], 1, 0, 0),
    ],
)
def test_order_loss_and_doubles(came: list[int], goes: list[int], lost: int, late: int, duplicated: int) -> None:
    buffer: JitterBuffer[int] = JitterBuffer()
    assert through(came, buffer) == goes
    assert (buffer.lost, buffer.late, buffer.duplicated) == (lost, late, duplicated)


def test_in_order_there_is_no_delay() -> None:
    buffer: JitterBuffer[int] = JitterBuffer()
    assert [list(buffer.put(sequence, sequence)) for sequence in range(5)] == [[0], [1], [2], [3], [4]]


@pytest.mark.parametrize(("samples", "held"), [(80, 12), (160, 6), (240, 4), (320, 3), (480, 3), (1600, 3), (1, 12)])
def test_a_missing_packet_is_given_up_when_it_is_over_100_ms_late(samples: int, held: int) -> None:
    buffer: JitterBuffer[int] = JitterBuffer()
    buffer.suit(samples)
    assert list(buffer.put(1, 1)) == [1]
    later = list(range(3, 3 + held))
    assert [list(buffer.put(number, number)) for number in later[:-1]] == [[]] * (held - 1)
    assert list(buffer.put(later[-1], later[-1])) == later
    assert buffer.lost == 1


@pytest.mark.parametrize("to", [10_000, 40_000, 65_000])
def test_a_jump_is_believed_with_the_second_packet_and_loses_none(to: int) -> None:
    buffer: JitterBuffer[int] = JitterBuffer()
    assert through([1, 2, to, to + 1, to + 2], buffer) == [1, 2, to, to + 1, to + 2]
    assert buffer.lost == 0


def test_a_stray_packet_from_far_away_changes_nothing() -> None:
    assert through([1, 2, 30_000, 3, 4, 20_000, 5]) == [1, 2, 3, 4, 5]


@given(st.lists(st.integers(0, 0xFFFF), max_size=300))
def test_whatever_comes_little_is_held_and_nothing_is_told_twice(sequences: list[int]) -> None:
    buffer: JitterBuffer[tuple[int, int]] = JitterBuffer()
    out: list[tuple[int, int]] = []
    held = 0
    for place, sequence in enumerate(sequences):
        out += buffer.put(sequence, (place, sequence))
        held = max(held, len(buffer._held))
    out += buffer.drain()
    assert held < HELD_PACKETS
    assert len(set(out)) == len(out) <= len(sequences)


@given(st.integers(0, 0xFFFF), st.integers(1, 200), st.randoms(use_true_random=False))
def test_packets_up_to_three_places_off_come_out_in_order(first: int, count: int, rng: random.Random) -> None:
    numbers = list(range(first, first + count))
    head, rest = numbers[:1], numbers[1:]
    blocks = [rest[start : start + 4] for start in range(0, len(rest), 4)]
    for block in blocks:
        rng.shuffle(block)
    assert through(head + [number for block in blocks for number in block]) == numbers


@given(st.integers(0, 0xFFFF), st.lists(st.floats(0, 0.1), min_size=1, max_size=200), st.sets(st.integers(0, 199)))
def test_jitter_of_100_ms_and_doubles_lose_nothing(first: int, delays: list[float], doubled: set[int]) -> None:
    arrivals = [(0.02 * place + delay, first + place) for place, delay in enumerate(delays)]
    arrivals += [(moment + 0.001, number) for place, (moment, number) in enumerate(arrivals) if place in doubled]
    # The first packet sets the beginning; what was sent before it and comes after it is not missed.
    arrivals[0] = (-1.0, first)
    buffer: JitterBuffer[int] = JitterBuffer()
    came = [number for _, number in sorted(arrivals)]
    assert through(came, buffer) == list(range(first, first + len(delays)))
    assert buffer.lost == 0


@given(st.integers(0, 0xFFFF), st.sets(st.integers(1, 198), max_size=60))
def test_lost_packets_are_counted_and_the_rest_stays_in_order(first: int, missing: set[int]) -> None:
    buffer: JitterBuffer[int] = JitterBuffer()
    came = [first + place for place in range(200) if place not in missing]
    assert through(came, buffer) == came
    assert buffer.lost == len(missing)


# -- the timeline

Step = tuple[int, int, float]


def gaps(steps: list[Step]) -> list[int]:
    """Silence before each packet of (timestamp, samples, time of arrival)."""
    timeline = Timeline()
    return [timeline.place(timestamp & 0xFFFFFFFF, samples, now) for timestamp, samples, now in steps]


def at(frame: int, start: int = 0) -> Step:
    return start + frame * 160, 160, frame * 0.02


@pytest.mark.parametrize(
    ("frames", "silence"),
    [
        ([0, 1, 2, 3], 0),
        ([0, 1, 3], 160),
        ([0, 5], 640),
        ([0, 1, 51], 8000 - 160),
        ([0, 2, 4, 6], 480),
    ],
)
@pytest.mark.parametrize("start", [0, 0xFFFFFF00, 123_456_789])
def test_silence_stands_for_what_is_missing_to_the_sample(frames: list[int], silence: int, start: int) -> None:
    assert sum(gaps([at(frame, start) for frame in frames])) == silence


@pytest.mark.parametrize("jump", [1_500_000_000, 0x7FFFFFFF, 0x80000000, -1_500_000_000, -160, 24_000_000])
def test_a_timestamp_that_jumps_adds_nothing(jump: int) -> None:
    steps = [at(0), at(1), *(at(frame, jump) for frame in range(2, 6))]
    assert sum(gaps(steps)) == 0


def test_a_jump_that_hides_a_loss_is_filled_by_the_clock() -> None:
    assert gaps([at(0), at(1), (1_500_000_000, 160, 0.22)]) == [0, 0, 9 * 160]


def test_packets_that_come_in_a_bunch_after_a_gap_are_placed_by_their_timestamps() -> None:
    late = [(frame * 160, 160, 0.02) for frame in (3, 4, 5)]
    assert gaps([at(0), at(1), *late]) == [0, 0, 160, 0, 0]


def test_a_pause_of_the_peer_is_filled_to_the_clock_and_not_twice() -> None:
    timeline = Timeline()
    timeline.place(0, 160, 0.02)
    assert timeline.idle(1.02) == 8000
    assert timeline.idle(2.02) == 8000
    assert timeline.place(160 + 17_600, 160, 2.24) == 1600


def test_a_peer_that_is_there_without_audio_pauses_from_the_start_on() -> None:
    timeline = Timeline()
    timeline.reset(10.0)
    assert timeline.idle(11.0) == 0
    timeline.no_audio()
    assert timeline.idle(12.0) == 16_000
    assert timeline.idle(13.0) == 8000
    assert timeline.place(77, 160, 14.0) == 8000 - 160
    timeline.reset(20.0)
    assert timeline.idle(21.0) == 0


def test_another_ssrc_is_placed_by_the_clock_only_where_the_gap_can_be_heard() -> None:
    for pause, silence in ((0.0, 0), (0.08, 0), (0.5, 4000)):
        timeline = Timeline()
        timeline.place(0, 160, 0.02)
        timeline.renumber()
        assert timeline.place(99_999, 160, 0.04 + pause) == silence


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(1, 1600), st.floats(0, 0.5)), max_size=100))
def test_filling_never_runs_ahead_of_the_clock_by_more_than_its_slack(packets: list[tuple[int, int, float]]) -> None:
    timeline, now, heard, filled = Timeline(), 0.0, 0, 0
    for timestamp, samples, pause in packets:
        now += pause
        gap = timeline.place(timestamp, samples, now)
        assert gap >= 0
        heard, filled = heard + samples, filled + gap
        if gap:
            assert heard + filled <= now * 8000 + 1600 + 2400 + 1
