"""Sounds of Play: what can be heard, what is kept and for how long, and what is no sound."""

from __future__ import annotations

import io
import math
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.net.receivers import Act, drip_body, flood, hang, receiving, reply, reset
from tests.support import until
from tests.twiml.servers import errand_settings, running, tone
from voice.media import g711
from voice.media.g711 import Law
from voice.prompts import Prompts, payload_path
from voice.twiml import codes
from voice.twiml.errand_runner import Runner
from voice.twiml.errands import ErrandFailed, Sound
from voice.twiml.freshness import freshness_of

NOW = 1_800_000_000.0


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    with running(errand_settings(tmp_path)) as runner:
        yield runner


def audio(content: bytes, kind: str = "audio/wav", **headers: str) -> Act:
    return reply(200, content, **{"Content_Type": kind, **headers})


def failure(runner: Runner, url: str) -> ErrandFailed:
    with pytest.raises(ErrandFailed) as failed:
        runner.sound(url)
    assert str(failed.value).endswith(".")
    return failed.value


def heard(sound: Sound, law: Law = Law.PCMU) -> np.ndarray:
    """What a caller hears, from -1 to 1."""
    payload = Prompts("en").sound(str(sound.path), law)
    assert payload is not None
    return np.frombuffer(g711.decode(payload, law), "<i2") / 32768


def pitch(samples: np.ndarray) -> float:
    """The loudest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 8000 / len(samples))


class TestKinds:
    """https://www.twilio.com/docs/voice/twiml/play: WAV, MP3, AIFF, GSM, µ-law; and what else is easily read."""

    @pytest.mark.parametrize(
        ("kind", "subtype", "content_type"),
        [
            ("WAV", "PCM_U8", "audio/wav"),
            ("WAV", "PCM_16", "audio/x-wav"),
            ("WAV", "PCM_24", "audio/wave"),
            ("WAV", "PCM_32", "audio/wav"),
            ("WAV", "FLOAT", "audio/wav"),
            ("WAV", "DOUBLE", "audio/wav"),
            ("WAV", "ULAW", "audio/wav"),
            ("WAV", "ALAW", "audio/wav"),
            ("WAV", "IMA_ADPCM", "audio/wav"),
            ("WAV", "MS_ADPCM", "audio/wav"),
            ("WAVEX", "PCM_16", "audio/wav"),
            ("RF64", "PCM_16", "audio/wav"),
            ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
            ("AIFF", "PCM_16", "audio/aiff"),
            ("AIFF", "ULAW", "audio/x-aifc"),
            ("AU", "ULAW", "audio/basic"),
            ("OGG", "VORBIS", "audio/ogg"),
            ("OGG", "OPUS", "audio/ogg"),
            ("FLAC", "PCM_16", "audio/flac"),
            ("MP3", "MPEG_LAYER_III", "application/octet-stream"),
            ("WAV", "PCM_16", "text/plain"),
        ],
    )
    def test_each(self, runner: Runner, kind: str, subtype: str, content_type: str) -> None:
        rate = 48000 if subtype == "OPUS" else 44100 if kind in ("MP3", "OGG") else 16000
        with receiving(audio(tone(kind, subtype, rate=rate), content_type)) as receiver:
            sound = runner.sound(receiver.url("/a"))
        for law in Law:
            samples = heard(sound, law)
            assert pitch(samples) == pytest.approx(440, abs=5)
            assert np.abs(samples[2000:6000]).max() == pytest.approx(0.3, rel=0.15)
        assert sound.seconds == pytest.approx(1.0, abs=0.1)
        assert sound.path.exists()

    @pytest.mark.parametrize(
        ("subtype", "path", "content_type"),
        [
            ("ULAW", "/a", "audio/basic"),
            ("ULAW", "/a", "audio/x-mulaw"),
            ("ULAW", "/a.ulaw", "application/octet-stream"),
            ("ALAW", "/a.al?x=1", ""),
            ("GSM610", "/a", "audio/x-gsm"),
            ("GSM610", "/a.gsm", "application/octet-stream"),
        ],
    )
    def test_those_without_a_header(self, runner: Runner, subtype: str, path: str, content_type: str) -> None:
        with receiving(audio(tone("RAW", subtype), content_type)) as receiver:
            samples = heard(runner.sound(receiver.url(path)))
        assert pitch(samples) == pytest.approx(440, abs=5)

    def test_the_same_bytes_by_another_name_are_another_sound(self, runner: Runner) -> None:
        kept = {"Cache_Control": "max-age=60"}
        content = tone("RAW", "ULAW")
        with receiving(audio(content, "audio/x-mulaw", **kept), audio(content, "audio/x-alaw", **kept)) as receiver:
            first = heard(runner.sound(receiver.url("/mulaw")))
            runner.sound(receiver.url("/alaw"))
            again = runner.sound(receiver.url("/mulaw"))
        assert again.cached
        assert np.array_equal(heard(again), first)

    def test_channels_are_mixed(self, runner: Runner) -> None:
        at = np.arange(16000) / 16000
        both = np.stack([np.sin(2 * np.pi * 440 * at) * 0.3, np.zeros(16000)], axis=1)
        file = io.BytesIO()
        soundfile.write(file, both, 16000, format="WAV")
        with receiving(audio(file.getvalue())) as receiver:
            samples = heard(runner.sound(receiver.url()))
        assert np.abs(samples[2000:6000]).max() == pytest.approx(0.15, rel=0.1)

    @pytest.mark.parametrize("level", [0.01, 0.9])
    def test_the_level_is_the_senders(self, runner: Runner, level: float) -> None:
        with receiving(audio(tone(level=level))) as receiver:
            samples = heard(runner.sound(receiver.url()))
        assert np.abs(samples).max() == pytest.approx(level, rel=0.1)

    def test_what_would_clip_is_lowered(self, runner: Runner) -> None:
        with receiving(audio(tone(subtype="FLOAT", level=4.0))) as receiver:
            samples = heard(runner.sound(receiver.url()))
        assert 0.9 < np.abs(samples).max() <= 1.0
        assert math.isclose(np.sqrt((samples[2000:6000] ** 2).mean()), 0.707, rel_tol=0.05)

    def test_silence_is_a_sound(self, runner: Runner) -> None:
        with receiving(audio(tone(level=0.0))) as receiver:
            assert runner.sound(receiver.url()).seconds == 1.0


class TestCache:
    """ETag, Last-Modified, max-age and no-store (RFC 9111)."""

    def test_a_fresh_one_is_not_asked_for_again(self, runner: Runner) -> None:
        with receiving(audio(tone(), Cache_Control="public, max-age=60")) as receiver:
            first, second = runner.sound(receiver.url()), runner.sound(receiver.url())
        assert (first.cached, second.cached) == (False, True)
        assert first.path == second.path
        assert (len(first.exchanges), len(second.exchanges), len(receiver.requests)) == (1, 0, 1)

    @pytest.mark.parametrize(
        ("given", "asked"),
        [
            ({"ETag": '"one"'}, {"if-none-match": '"one"'}),
            (
                {"Last_Modified": "Fri, 01 Jan 2027 00:00:00 GMT"},
                {"if-modified-since": "Fri, 01 Jan 2027 00:00:00 GMT"},
            ),
            ({"ETag": 'W/"x"', "Cache_Control": "no-cache"}, {"if-none-match": 'W/"x"'}),
            ({"ETag": '"x"', "Cache_Control": "max-age=0"}, {"if-none-match": '"x"'}),
        ],
    )
    def test_one_that_may_have_changed_is_asked_for(
        self, runner: Runner, given: dict[str, str], asked: dict[str, str]
    ) -> None:
        with receiving(audio(tone(), **given), reply(304, Cache_Control="max-age=60")) as receiver:
            first, second, third = (runner.sound(receiver.url()) for _ in range(3))
        assert {name: receiver.requests[1].headers[name] for name in asked} == asked
        assert (second.path, second.cached, third.cached) == (first.path, True, True)
        assert [exchange.status for exchange in second.exchanges] == [304]
        assert len(receiver.requests) == 2

    def test_one_that_has_changed_does_not_disturb_those_who_hear_the_old(self, runner: Runner) -> None:
        with receiving(audio(tone(), ETag='"1"'), audio(tone(seconds=2), ETag='"2"')) as receiver:
            first, second = runner.sound(receiver.url()), runner.sound(receiver.url())
        assert (first.seconds, second.seconds) == (1.0, 2.0)
        assert not second.cached
        assert len(heard(first)) == 8000
        assert len(heard(second)) == 16000

    def test_without_a_word_about_it_it_is_fetched_again(self, runner: Runner) -> None:
        with receiving(audio(tone())) as receiver:
            assert [runner.sound(receiver.url()).cached for _ in range(2)] == [False, False]

    def test_no_store_is_kept_for_the_call_alone(self, runner: Runner, tmp_path: Path) -> None:
        with receiving(audio(tone(), Cache_Control="no-store", ETag='"1"')) as receiver:
            first, second = runner.sound(receiver.url()), runner.sound(receiver.url())
        assert first.path != second.path
        assert "if-none-match" not in receiver.requests[1].headers
        assert not list((tmp_path / "voice" / "sounds" / "urls").iterdir())
        runner.tidy()
        assert len(heard(second)) == 8000
        age(tmp_path / "voice" / "sounds", 4000)
        runner.tidy()
        assert [path for path in (tmp_path / "voice" / "sounds").iterdir() if path.is_file()] == []

    def test_many_calls_that_want_one_fetch_it_once(self, runner: Runner) -> None:
        go = threading.Event()

        def slowly(receiver: object, connection: object) -> None:
            go.wait(20)
            audio(tone())(receiver, connection)  # type: ignore[arg-type]

        with receiving(slowly) as receiver, ThreadPoolExecutor(20) as pool:
            futures = [pool.submit(runner.sound, receiver.url()) for _ in range(20)]
            until(lambda: receiver.requests, 10, "the request")
            go.set()
            found = [future.result(20) for future in futures]
            # Whoever came after the end of the first fetch may have asked anew.
            assert len({sound.path for sound in found}) == 1
            assert len(receiver.requests) < 20

    def test_many_calls_that_want_a_bad_one_all_hear_why(self, runner: Runner) -> None:
        with receiving(hang) as receiver, ThreadPoolExecutor(5) as pool:
            futures = [pool.submit(failure, runner, receiver.url()) for _ in range(5)]
            until(lambda: receiver.requests, 10, "the request")
            receiver.close()
            for future in futures:
                assert future.result(60).code

    def test_redirects_are_followed_and_not_kept(self, runner: Runner) -> None:
        kept = {"ETag": '"1"', "Cache_Control": "max-age=60"}
        acts = [
            reply(302, Location="/one"),
            audio(tone(), **kept),
            reply(302, Location="/two"),
            reply(304),
            audio(tone(seconds=2)),
        ]
        with receiving(*acts) as receiver:
            assert runner.sound(receiver.url("/a")).seconds == 1.0
            # Where "/two" says that it has not changed, it is not "/one" that it speaks of.
            assert runner.sound(receiver.url("/a")).seconds == 2.0

    def test_user_and_password_are_a_url_of_their_own(self, runner: Runner) -> None:
        with receiving(audio(tone(), Cache_Control="max-age=60")) as receiver:
            runner.sound(receiver.url("/a", "anna:s3cret@127.0.0.1"))
            receiver.play(reply(401))
            assert failure(runner, receiver.url("/a")).code == codes.HTTP_STATUS

    def test_no_secret_is_on_disk(self, runner: Runner, tmp_path: Path) -> None:
        with receiving(audio(tone(), ETag='"1"')) as receiver:
            runner.sound(receiver.url("/a?token=s3cret", "anna:s3cret@127.0.0.1"))
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert kept
        assert not [path for path in kept if b"s3cret" in path.read_bytes() or "s3cret" in str(path)]

    @pytest.mark.parametrize("suffix", [".wav", ".pcmu", ".pcma"])
    def test_what_is_damaged_is_fetched_again(self, runner: Runner, suffix: str) -> None:
        with receiving(audio(tone(), Cache_Control="max-age=60")) as receiver:
            path = runner.sound(receiver.url()).path.with_suffix(suffix)
            path.unlink()
            if suffix != ".wav":
                path.write_bytes(b"x" * 100)
            assert len(heard(runner.sound(receiver.url()))) == 8000
        assert len(receiver.requests) == 2

    def test_the_longest_unused_goes_first(self, tmp_path: Path) -> None:
        settings = errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__CACHE_BYTES="140000")
        with running(settings) as runner, receiving(audio(tone(seconds=1), Cache_Control="max-age=60")) as receiver:
            paths = []
            for number in range(5):
                receiver.play(audio(tone(seconds=1 + number / 100), Cache_Control="max-age=6000"))
                paths.append(runner.sound(receiver.url(f"/{number}")).path)
            age(tmp_path / "voice" / "sounds", 3000)
            assert runner.sound(receiver.url("/0")).cached
            for number, path in enumerate(paths[1:4]):
                os.utime(path, (time.time() - 2000 + number,) * 2)
            runner.tidy()
            # Each takes about 32 kB, and half of the room is for speech.
            assert [path.exists() for path in paths] == [True, False, False, True, False]
            assert runner.sound(receiver.url("/3")).cached
            receiver.play(audio(tone(seconds=1.01), Cache_Control="max-age=6000"))
            assert not runner.sound(receiver.url("/1")).cached

    @pytest.mark.parametrize(
        ("headers", "store", "seconds"),
        [
            ({}, True, None),
            ({"Cache-Control": "max-age=60"}, True, 60),
            ({"Cache-Control": 'Private, MAX-AGE="60"'}, True, 60),
            ({"Cache-Control": "max-age=60", "Age": "20"}, True, 40),
            ({"Cache-Control": "max-age=60", "Age": "90"}, True, None),
            ({"Cache-Control": "max-age=60, no-cache"}, True, None),
            ({"Cache-Control": "max-age=60, no-store"}, False, None),
            ({"Cache-Control": "max-age=-1"}, True, None),
            ({"Cache-Control": "max-age=" + "9" * 400}, True, 365 * 86400),
            ({"Cache-Control": "max-age=x"}, True, None),
            ({"Expires": formatdate(NOW + 90, usegmt=True), "Date": formatdate(NOW, usegmt=True)}, True, 90),
            ({"Expires": formatdate(NOW + 90, usegmt=True), "Cache-Control": "max-age=5"}, True, 5),
            ({"Expires": "0"}, True, None),
            ({"Expires": "Fri, 99 Xxx 2027"}, True, None),
            ({"Vary": "*", "Cache-Control": "max-age=60"}, False, None),
        ],
    )
    def test_how_long(self, headers: dict[str, str], store: bool, seconds: float | None) -> None:
        fresh = freshness_of(headers, NOW)
        assert fresh.store is store
        assert fresh.until == (0 if seconds is None else NOW + seconds)


def age(folder: Path, seconds: float) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - seconds,) * 2)


class TestNoSound:
    """The developer sees why, and nothing stays behind."""

    @pytest.fixture(autouse=True)
    def _nothing_stays(self, tmp_path: Path) -> Iterator[None]:
        yield
        assert [path for path in (tmp_path / "voice").rglob("*") if path.is_file()] == []

    def test_404(self, runner: Runner) -> None:
        with receiving(reply(404, b"nothing")) as receiver:
            error = failure(runner, receiver.url("/a.mp3"))
        assert error.code == codes.HTTP_STATUS
        assert "404 Not Found" in str(error)
        assert error.exchanges[0].body == "nothing"

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (b"Hello, this is a text.\n" * 100, "text/plain"),
            (b"<html><body>Log in</body></html>", "text/html"),
            (b"<Response/>", "text/xml"),
            (b"\x89PNG\r\n\x1a\n" + bytes(100), "image/png"),
            (b"RIFF\xff\xff\xff\x7fWAVEfmt ", "audio/wav"),
            (tone()[:40], "audio/wav"),
            (b"ID3\x04" + bytes(500), "audio/mpeg"),
            (b"OggS" + bytes(range(256)), "audio/ogg"),
            (b"fLaC" + bytes(range(256)), "audio/flac"),
            (bytes(range(256)) * 20, "audio/wav"),
            (b"hello", "application/octet-stream"),
        ],
    )
    def test_what_is_none(self, runner: Runner, content: bytes, kind: str) -> None:
        with receiving(audio(content, kind)) as receiver:
            error = failure(runner, receiver.url("/a.wav"))
        assert error.code == codes.PLAY_CONTENT_TYPE
        assert "no sound that can be played" in str(error)
        assert (kind in str(error)) is not kind.startswith("audio/")

    def test_a_tone_of_values_that_are_none(self, runner: Runner) -> None:
        file = io.BytesIO()
        soundfile.write(file, np.full(8000, np.nan, np.float32), 8000, "FLOAT", format="WAV")
        with receiving(audio(file.getvalue())) as receiver:
            assert failure(runner, receiver.url()).code == codes.PLAY_CONTENT_TYPE

    @pytest.mark.parametrize("act", [reply(200), reply(204), reply(206, tone(), Content_Type="audio/wav")])
    def test_nothing(self, runner: Runner, act: Act) -> None:
        with receiving(act) as receiver:
            assert failure(runner, receiver.url()).code == codes.EMPTY_BODY

    def test_too_large(self, tmp_path: Path) -> None:
        settings = errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__SOUND_BYTES="10000")
        with running(settings) as runner, receiving(audio(tone())) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == codes.TOO_LARGE
        assert "10,000 bytes" in str(error)

    def test_too_long(self, tmp_path: Path) -> None:
        settings = errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__SOUND_SECONDS="2")
        with running(settings) as runner, receiving(audio(tone(seconds=2.1))) as receiver:
            assert "longer than 2 s" in str(failure(runner, receiver.url()))

    @pytest.mark.parametrize("act", [flood, drip_body, hang])
    def test_without_end(self, tmp_path: Path, act: Act) -> None:
        limits = {"VOICEMAIL__PROGRAMMABLE__TIMEOUT": "0.5", "VOICEMAIL__PROGRAMMABLE__SOUND_BYTES": "2000000"}
        with running(errand_settings(tmp_path, **limits)) as runner, receiving(act) as receiver:
            assert failure(runner, receiver.url()).code in (codes.TOO_LARGE, codes.HTTP_TIMEOUT)

    def test_cut_off(self, runner: Runner) -> None:
        with receiving(reset) as receiver:
            assert failure(runner, receiver.url()).code in (codes.HTTP_PROTOCOL, codes.HTTP_CONNECTION)

    @pytest.mark.parametrize("url", ["", "beep", "/a.wav", "file:///etc/passwd", "http://10.0.0.1/a.wav"])
    def test_a_url_that_is_none(self, runner: Runner, url: str) -> None:
        assert failure(runner, url).code in (codes.INVALID_URL, codes.BAD_HOST)


def test_a_folder_that_cannot_be_written(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "voice").write_text("in the way", encoding="utf-8")
    with receiving(audio(tone())) as receiver:
        error = failure(runner, receiver.url())
    assert error.code == codes.INTERNAL
    assert "cannot be kept here" in str(error)


def test_payloads_lie_beside_the_sound(runner: Runner) -> None:
    with receiving(audio(tone())) as receiver:
        sound = runner.sound(receiver.url())
    assert [payload_path(sound.path, law).stat().st_size for law in Law] == [8000, 8000]
    assert not list(sound.path.parent.glob("*.part"))
