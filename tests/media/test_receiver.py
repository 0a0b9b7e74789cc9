"""From datagrams to audio: what bad peers and bad lines do, to the exact sample."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.lines import EVENT, SSRC, Ear, any_line, audio, event, frame_of, spoken
from voice.media import rtp, wav
from voice.media.dtmf import KEYS
from voice.media.g711 import Law, decode
from voice.media.noise import Background
from voice.media.receiver import Receiver
from voice.media.rtp import RTPPacket
from voice.media.silence import SilenceDetector
from voice.prompts import BUILT_IN


@pytest.mark.parametrize("law", Law)
def test_a_call_without_loss_is_recorded_bit_for_bit(law: Law) -> None:
    ear = Ear(law)
    assert all(ear.hear(*(audio(number, payload_type=law.payload_type) for number in range(200))))
    assert ear.end() == spoken(*range(200))


BAD = {
    "0 bytes": b"",
    "5 bytes": b"\x80\x00\x00\x01\x00",
    "11 bytes": audio(0)[:11],
    "2000 bytes": audio(0)[:12] + bytes(1988),
    "version 1": b"\x40" + audio(0)[1:],
    "another law": audio(0, payload_type=8),
    "GSM": audio(0, payload_type=3),
    "unknown payload type": audio(0, payload_type=127, sequence=20_000),
    "event cut off": event(1, 20_000, 0, ssrc=9)[:15],
    "extension cut off": b"\x90" + audio(0)[1:14],
    "a STUN request": b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
    "an SIP message": b"OPTIONS sip:x SIP/2.0\r\n\r\n",
    "RTCP": b"\x80\xc8" + bytes(26),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_bad_datagram_is_refused_and_the_next_packet_is_heard(data: bytes) -> None:
    ear = Ear()
    assert ear.hear(audio(0), data, audio(1), audio(2)) == [True, False, True, True]
    assert ear.end() == spoken(0, 1, 2)
    assert ear.receiver.received == 3
    assert ear.receiver.invalid == (0 if data[1:2] == b"\xc8" else 1)


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_so_it_is_where_packets_wait_for_others(data: bytes) -> None:
    """Also as long as nothing can wait yet: behind the first packet, and behind other payload types."""
    ear = Ear(due=4000)
    ear.take(audio(0), data, audio(1), audio(2), data)
    ear.receiver.renumber(0, EVENT)
    ear.take(data, audio(3), audio(4))
    assert ear.end() == spoken(*range(5))
    assert ear.receiver.received == 5
    assert ear.receiver.invalid == (0 if data[1:2] == b"\xc8" else 3)


@given(st.lists(st.binary(max_size=2048), max_size=20))
def test_no_datagram_raises(datagrams: list[bytes]) -> None:
    ear = Ear()
    ear.hear(*datagrams, audio(0), audio(1), audio(2))
    assert ear.end().endswith(spoken(1, 2))


@given(
    st.lists(st.tuples(st.sampled_from([0, EVENT, 13, 3]), *[st.integers(0, 0xFFFFFFFF)] * 3, st.binary(max_size=400)))
)
def test_no_stream_of_packets_makes_more_audio_than_time_has_passed(
    packets: list[tuple[int, int, int, int, bytes]],
) -> None:
    ear = Ear()
    sent = 0
    for payload_type, sequence, timestamp, ssrc, payload in packets:
        ear.hear(rtp.build(RTPPacket(payload_type, sequence, timestamp, ssrc % 3, payload)))
        sent += len(payload)
    assert len(ear.end()) <= sent + (len(packets) * 0.02 + 0.3) * 8000 + 400
    assert set(ear.keys) <= set(KEYS)


def test_a_timestamp_that_jumps_by_hours_adds_nothing() -> None:
    ear = Ear()
    ear.hear(*(audio(number) for number in range(10)))
    ear.hear(*(audio(number, jump=1_500_000_000) for number in range(10, 20)))
    ear.hear(*(audio(number) for number in range(20, 30)))
    assert ear.end() == spoken(*range(30))


def test_a_lost_packet_becomes_160_samples_of_silence() -> None:
    for law in Law:
        ear = Ear(law)
        ear.hear(*(audio(number, payload_type=law.payload_type) for number in range(50) if number not in {20, 30, 31}))
        expected = spoken(*range(20)) + law.silence(160) + spoken(*range(21, 30)) + law.silence(320)
        assert ear.end() == expected + spoken(*range(32, 50))
        assert ear.receiver.jitter.lost == 3
        assert ear.gaps == [(20 * 160, 160), (30 * 160, 320)]


def test_a_pause_is_not_taken_for_a_loss_nor_a_loss_for_a_pause() -> None:
    ear = Ear()
    ear.hear(audio(0), audio(1))
    ear.now += 0.2
    ear.hear(*(audio(number, sequence=-10) for number in (12, 13)))
    ear.now += 0.2
    # One packet was lost in a pause of ten: nobody knows where.
    ear.hear(*(audio(number, sequence=-19) for number in range(24, 34)))
    assert ear.gaps == []
    assert ear.receiver.jitter.lost == 1
    assert len(ear.end()) == 34 * 160


def test_reordered_and_doubled_packets_leave_no_trace() -> None:
    ear = Ear()
    ear.hear(*(audio(number) for number in (0, 1, 3, 2, 2, 4, 7, 6, 5, 5, 8, 8, 9, 8)))
    assert ear.end() == spoken(*range(10))
    assert (ear.receiver.jitter.lost, ear.receiver.jitter.duplicated) == (0, 4)


def test_numbers_that_wrap_leave_no_trace() -> None:
    ear = Ear()
    ear.hear(*(audio(number, sequence=65530, jump=0xFFFFFFFF - 800) for number in range(20)))
    assert ear.end() == spoken(*range(20))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_a_bad_line_keeps_the_length_and_every_packet_in_its_place(share: float) -> None:
    rng = random.Random(share)
    arrivals = []
    for number in range(500):
        if number and rng.random() < share and number < 499:
            continue
        arrivals.append((number + rng.choice((0, 0, 0, 1.2, 2.2)), audio(number)))
        if rng.random() < share:
            arrivals.append((number + 1.5, audio(number)))
    arrivals[0] = (0, arrivals[0][1])
    ear = Ear()
    for moment, data in sorted(arrivals):
        ear.now = 100 + moment * 0.02
        ear.receiver.datagram(data, ear.now)
    heard = ear.end()
    assert len(heard) == 500 * 160
    came = {int.from_bytes(data[2:4], "big") for _, data in arrivals}
    for number in range(500):
        here = heard[number * 160 : number * 160 + 160]
        assert here == (frame_of(number) if number in came else Law.PCMU.silence(160)), number


@pytest.mark.parametrize("size", [80, 240, 320, 480, 1600])
def test_packets_of_10_to_200_ms_are_taken_as_they_are(size: int) -> None:
    ear = Ear()
    payloads = [bytes(1 + (number + place) % 100 for place in range(size)) for number in range(10)]
    ear.hear(*(rtp.build(RTPPacket(0, n, n * size, SSRC, payload)) for n, payload in enumerate(payloads)))
    assert ear.end() == b"".join(payloads)


def test_what_waits_for_a_missing_packet_is_kept_when_the_recording_ends() -> None:
    ear = Ear()
    ear.hear(audio(0), audio(1), audio(3), audio(4))
    assert ear.end() == spoken(0, 1) + Law.PCMU.silence(160) + spoken(3, 4)


def test_what_waits_for_a_missing_packet_is_kept_when_the_peer_starts_anew() -> None:
    ear = Ear()
    ear.hear(audio(0), audio(1), audio(3), audio(4))
    ear.hear(*(audio(number, ssrc=77, sequence=9000) for number in (5, 6)))
    assert ear.end() == spoken(0, 1) + Law.PCMU.silence(160) + spoken(3, 4, 5, 6)


# -- keys


def test_keys_come_with_the_audio_and_leave_silence_of_their_length() -> None:
    ear = Ear()
    ear.hear(*(audio(number) for number in range(5)))
    presses = [event(5, 5 + step, 5 * 160, marker=not step, end=step > 6) for step in range(10)]
    assert all(ear.hear(*presses))
    ear.hear(*(audio(number) for number in range(15, 20)))
    assert ear.keys == "5"
    assert ear.end() == spoken(*range(5)) + Law.PCMU.silence(1600) + spoken(*range(15, 20))
    assert ear.receiver.jitter.lost == 0


def test_a_key_is_told_at_once_while_audio_before_it_is_missing() -> None:
    ear = Ear()
    ear.hear(audio(0), audio(2), event(1, 3, 480))
    assert ear.keys == "1"


def test_keys_with_an_ssrc_of_their_own_do_not_touch_the_audio() -> None:
    """As sipp sends them: on the same port, other SSRC, other numbers, the same timestamps for the next key."""
    ear = Ear()
    for number in range(60):
        ear.hear(audio(number))
        if number in range(10, 23) or number in range(30, 43):
            ssrc, step = (0x1020305, number - 10) if number < 30 else (0x1020306, number - 30)
            ear.now -= 0.02
            ear.hear(event(1, 1200 + step, 24400, ssrc=ssrc, marker=not step, end=step > 9))
    assert ear.keys == "11"
    assert ear.end() == spoken(*range(60))
    assert ear.receiver.jitter.lost == 0


def test_a_lost_marker_packet_costs_no_key() -> None:
    ear = Ear()
    ear.hear(audio(0), *(event(11, 1 + step, 160, end=step > 5) for step in range(1, 8)))
    assert ear.keys == "#"


def test_a_hook_flash_is_no_key_and_no_harm() -> None:
    ear = Ear()
    assert all(ear.hear(audio(0), event(16, 1, 160, marker=True), event(16, 2, 160, end=True), audio(3)))
    assert ear.keys == ""
    assert ear.end() == spoken(0) + Law.PCMU.silence(320) + spoken(3)


def test_without_an_agreed_event_type_there_are_no_keys() -> None:
    receiver = Receiver(Law.PCMU, 0, None, lambda key: pytest.fail(f"heard {key}"))
    assert not receiver.datagram(event(1, 1, 160), 1.0)


# -- pauses


def test_a_phone_that_sends_nothing_while_it_is_quiet_is_recorded_by_the_clock() -> None:
    ear = Ear()
    ear.hear(*(audio(number) for number in range(10)))
    for _ in range(4):
        ear.now += 1.0
        ear.receiver.idle(ear.now)
    ear.hear(*(audio(number) for number in range(210, 220)))
    assert ear.end() == spoken(*range(10)) + Law.PCMU.silence(200 * 160) + spoken(*range(210, 220))


def test_what_waits_when_the_peer_falls_silent_comes_before_the_silence() -> None:
    ear = Ear()
    ear.hear(audio(0), audio(2), audio(3))
    ear.now += 1.5
    ear.receiver.idle(ear.now)
    assert ear.end().startswith(spoken(0) + Law.PCMU.silence(160) + spoken(2, 3) + Law.PCMU.silence(160))


def comfort(sequence: int, *level: int, ssrc: int = SSRC) -> bytes:
    return rtp.build(RTPPacket(13, sequence, sequence * 160, ssrc, bytes(level)))


def dbov(payload: bytes, law: Law) -> float:
    samples = np.frombuffer(decode(payload, law), "<i2").astype(float)
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) / 32768))


@pytest.mark.parametrize("law", Law)
@pytest.mark.parametrize(("told", "heard"), [(70, -70), (64, -64), (40, -64), (0, -64)])
def test_comfort_noise_fills_a_pause_at_its_level_but_below_speech(law: Law, told: int, heard: float) -> None:
    ear = Ear(law)
    types = {"payload_type": law.payload_type}
    assert all(ear.hear(audio(0, **types), audio(1, **types), comfort(2, told)))
    for _ in range(3):
        ear.now += 1.0
        ear.receiver.idle(ear.now)
    ear.hear(audio(150, sequence=3 - 150, **types))
    noise = ear.end().removeprefix(spoken(0, 1)).removesuffix(spoken(150))
    assert len(noise) >= 3 * 8000
    assert dbov(noise, law) == pytest.approx(heard, abs=1.5)  # G.711 has few steps so far down


@pytest.mark.parametrize("level", [(), (127,), (80,)], ids=["not told", "none", "inaudible"])
def test_comfort_noise_that_is_not_heard_is_silence(level: tuple[int, ...]) -> None:
    ear = Ear()
    ear.hear(audio(0), audio(1), comfort(2, *level), audio(3))
    assert ear.end() == spoken(0, 1) + Law.PCMU.silence(160) + spoken(3)


def test_comfort_noise_ends_with_its_pause_and_is_taken_from_the_speaker_alone() -> None:
    ear = Ear()
    ear.hear(audio(0), comfort(1, 40), audio(2), event(1, 3, 480, end=True), comfort(9, 40, ssrc=7), audio(4))
    heard = ear.end()
    assert heard[160:320] != Law.PCMU.silence(160)
    assert heard[320:] == spoken(2) + Law.PCMU.silence(160) + spoken(4)


@pytest.mark.parametrize("level", [0, 40, 64, 127])
def test_a_pause_of_comfort_noise_ends_a_recording(level: int) -> None:
    background = Background(Law.PCMU)
    detector = SilenceDetector(2.0)
    detector.frames(wav.read_prompt(BUILT_IN / "en" / "test_message.wav")[: 2 * 160 * 150])
    background.tell(bytes((level,)))
    ends = (number for number in range(150) if detector.frames(decode(background.frame(), Law.PCMU)))
    assert next(ends) <= 2.35 * 50


def test_a_hold_is_not_recorded() -> None:
    ear = Ear()
    ear.hear(audio(0), audio(1))
    ear.receiver.restart(ear.now)
    ear.now += 30
    ear.hear(audio(2000), audio(2001))
    assert ear.end() == spoken(0, 1, 2000, 2001)


@pytest.mark.parametrize("due", [1, 160, 161, 800, 100_000])
@pytest.mark.parametrize("seed", range(40))
def test_packets_that_wait_for_others_are_heard_as_if_they_had_not(seed: int, due: int) -> None:
    dice = random.Random(seed)
    line = list(any_line(dice))
    at_once, together = Ear(), Ear(due=due)
    at_once.hear(*line)
    together.take(*line)
    assert together.keys == at_once.keys
    assert (together.end(), together.gaps) == (at_once.end(), at_once.gaps)
    assert together.receiver.received == at_once.receiver.received
    for name in ("lost", "late", "duplicated"):
        assert getattr(together.receiver.jitter, name) == getattr(at_once.receiver.jitter, name)
    assert (together.receiver.invalid, together.receiver.heard_at) == (
        at_once.receiver.invalid, pytest.approx(at_once.receiver.heard_at),
    )  # fmt: skip


def test_a_sink_that_can_wait_hears_at_the_packet_that_is_due() -> None:
    ear = Ear(due=480)
    ear.take(audio(0), audio(1))
    assert ear.frames == 2, "only now it is known what its packets look like"
    ear.take(audio(2), audio(3))
    assert (ear.frames, ear.receiver.received) == (2, 4)
    ear.take(audio(4))
    assert ear.heard == spoken(0, 1, 2, 3, 4)
