"""Say, Play and Pause: what the caller hears.

The rules that are quoted are those of docs/twiml.md and of Twilio's pages, in our words.
"""

from __future__ import annotations

import io
import wave

import pytest

from tests.peers.speech import speech_pcm
from tests.twiml.programme import CANCELLED, HUNG_UP, WAV, Programme
from voice.events import Digit, Ended, PlaybackDone
from voice.media import g711
from voice.media.g711 import Law
from voice.media.inband import KeyTones
from voice.media.key_tones import key_tones
from voice.twiml.errand_runner import Runner

END = "<silence 0.3>"


def wav(pcm16: bytes, rate: int = 8000) -> bytes:
    """A WAV file of these samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm16)
    return file.getvalue()


class TestSay:
    def test_it_answers_and_says_its_text(self, programme: Programme) -> None:
        """Say converts text to speech that is read to the caller; the end of the document hangs up."""
        programme.call("<Say>Hello, world</Say>")
        assert programme.heard == ["Hello, world", END]
        assert programme.leg.answered
        assert programme.leg.hung_up
        assert programme.ledger.statuses == ["ringing", "in-progress", "completed"]

    def test_verbs_run_in_order(self, programme: Programme) -> None:
        """Verbs run in the order of the document."""
        programme.call("<Say>one</Say><Say>two</Say><Say>three</Say>")
        assert programme.heard == ["one", "two", "three", END]

    def test_the_number_has_a_language(self, programme: Programme) -> None:
        """language: by default the number's; voice: as it is given."""
        programme.call('<Say>a</Say><Say language="fr-FR" voice="alice">b</Say>')
        assert programme.speaker.asked == [("a", "en", ""), ("b", "fr-FR", "alice")]

    def test_a_voice_may_tell_the_language(self, programme: Programme) -> None:
        """voice: where language is not given, the name of a voice tells it, if it has one."""
        programme.call('<Say voice="Polly.Lucia">a</Say><Say voice="man">b</Say>')
        assert programme.speaker.asked == [("a", "es-ES", "Polly.Lucia"), ("b", "en", "man")]

    def test_loop(self, programme: Programme) -> None:
        """loop: how many times."""
        programme.call('<Say loop="3">again</Say>')
        assert programme.heard == ["again", "again", "again", END]
        assert len(programme.speaker.asked) == 1, "it is fetched once"

    def test_loop_for_ever(self, programme: Programme) -> None:
        """loop 0: until the caller hangs up; what follows is never reached."""
        programme.call('<Say loop="0">again</Say><Say>never</Say>', on_play={20: (HUNG_UP,)})
        assert programme.heard == ["again"] * 20
        assert programme.ledger.outcome("Say") == "caller hung up"

    def test_a_hang_up_ends_the_document(self, programme: Programme) -> None:
        """A hang-up at the verb ends it, and the call is completed."""
        programme.call("<Say>one</Say><Say>two</Say>", on_play={1: (HUNG_UP,)})
        assert programme.heard == ["one"]
        assert programme.ended_by == "caller hung up"
        assert programme.ledger.statuses[-1] == "completed"
        assert programme.ledger.outcome("Say") == "caller hung up"

    def test_what_the_engine_says_of_itself_is_in_the_trace(self, programme: Programme) -> None:
        """Without an engine for a language the caller hears another, and the developer sees why."""
        programme.speaker.notice = "No voice speaks ja; en is heard."
        programme.call('<Say language="ja">x</Say>')
        assert [line.what for line in programme.ledger.of("notice")] == ["No voice speaks ja; en is heard."]

    def test_what_has_no_words_is_left_out(self, programme: Programme) -> None:
        """A text without a letter or a digit is noticed, and the call goes on."""
        programme.errands.close()
        programme.errands = Runner(programme.settings)
        programme.call('<Say loop="0">-</Say><Gather numDigits="1" timeout="1"><Say loop="0">!?</Say></Gather>')
        assert programme.heard == [END]
        assert programme.ledger.statuses[-1] == "completed"
        assert [notice.detail["code"] for notice in programme.ledger.of("notice")] == [13520, 13520]

    def test_keys_pressed_meanwhile_are_kept_for_gather(self, programme: Programme) -> None:
        """Typed-ahead digits count."""
        programme.site.serve("/next")
        programme.call(
            '<Say>Welcome</Say><Gather action="/next" numDigits="2"><Say>Two keys</Say></Gather>',
            on_play={1: (Digit("4"), PlaybackDone(1), Digit("2"))},
        )
        assert programme.heard[:1] == ["Welcome"], "it is not interrupted"
        assert "Two keys" not in programme.heard
        assert programme.site.of("/next")[0]["Digits"] == "42"


class TestPlay:
    def test_a_sound_by_its_url(self, programme: Programme) -> None:
        """A URL, which may be relative: to the document's own."""
        sound = speech_pcm(0.4)
        programme.site.serve("/sounds/a.wav", kind=WAV, body=wav(sound))
        programme.call("<Play>sounds/a.wav</Play>")
        heard, end = programme.stream.played
        assert len(heard) == pytest.approx(len(sound) / 2, abs=160)
        assert end == Law.PCMU.silence(2400)
        assert programme.site.of("/sounds/a.wav")[0].method == "GET"

    def test_a_sound_of_the_web_becomes_telephone_audio(self, programme: Programme) -> None:
        """Other rates are converted."""
        programme.site.serve("/a.wav", kind=WAV, body=wav(bytes(2 * 48000), 48000))
        programme.call("<Play>/a.wav</Play>")
        assert len(programme.stream.played[0]) == pytest.approx(8000, abs=160)

    def test_loop(self, programme: Programme) -> None:
        """loop: how many times."""
        programme.site.serve("/a.wav", kind=WAV, body=wav(speech_pcm(0.2)))
        programme.call('<Play loop="2">/a.wav</Play>')
        first, second, _ = programme.stream.played
        assert first == second
        assert len(programme.site.of("/a.wav")) == 1

    def test_loop_for_ever(self, programme: Programme) -> None:
        """loop 0: until the caller hangs up."""
        programme.site.serve("/a.wav", kind=WAV, body=wav(speech_pcm(0.2)))
        programme.call('<Play loop="0">/a.wav</Play>', on_play={7: (HUNG_UP,)})
        assert len(programme.stream.played) == 7

    def test_digits(self, programme: Programme) -> None:
        """digits: keys as tones, w for half a second and W for one; no sound is fetched."""
        programme.call('<Play digits="1w2W#"/>')
        assert programme.stream.played[0] == key_tones("1w2W#", Law.PCMU)
        assert len(programme.stream.played[0]) == 8000 * (3 * 0.2 + 0.5 + 1.0)
        assert [asked.path for asked in programme.site.asked] == ["/voice"]

    @pytest.mark.parametrize(
        ("page", "code"),
        [
            ({"status": 404, "body": b"not here", "kind": "text/plain"}, 11217),
            ({"status": 200, "body": b"just words", "kind": "text/plain"}, 13420),
            ({"status": 200, "body": b"RIFF....WAVE", "kind": WAV}, 13420),
        ],
    )
    def test_what_is_no_sound_ends_with_an_apology(
        self, programme: Programme, page: dict[str, object], code: int
    ) -> None:
        """Without a fallback the caller hears an apology, and the call ends; the developer sees why."""
        programme.site.serve("/a.wav", **page)
        outcome = programme.call("<Play>/a.wav</Play><Say>never</Say>")
        assert programme.heard == ["<application_error en>", END]
        assert outcome
        assert outcome.ended_by == "error"
        assert programme.ledger.statuses == ["ringing", "in-progress", "completed"]
        assert programme.ledger.states[-1].error_code == code
        assert programme.ledger.outcome("Play") == programme.ledger.states[-1].error

    def test_a_hang_up_while_it_is_fetched(self, programme: Programme) -> None:
        """A slow server does not keep a caller who has gone."""
        programme.site.serve("/voice", "<Say>Hello</Say><Play>/a.wav</Play>")
        call = programme.dialled()
        programme.site.serve("/a.wav", kind=WAV, body=wav(bytes(320)), meanwhile=lambda: call.post(HUNG_UP))
        programme.run(call)
        assert programme.heard == ["Hello"]
        assert programme.ledger.outcome("Play") == "caller hung up"


class TestPause:
    def test_length(self, programme: Programme) -> None:
        """length: seconds of silence, 1 by default."""
        programme.call('<Say>a</Say><Pause length="3"/><Pause/><Say>b</Say>')
        assert programme.heard == ["a", "<silence 3>", "<silence 1>", "b", END]

    def test_a_long_one_takes_no_memory(self, programme: Programme) -> None:
        """A day of silence is made of small pieces."""
        programme.call('<Say>a</Say><Pause length="95"/>')
        assert programme.heard == ["a", "<silence 30>", "<silence 30>", "<silence 30>", "<silence 5>", END]

    def test_as_the_first_verb_it_waits_with_the_answer(self, programme: Programme) -> None:
        """If Pause is the first verb, the call is answered so many seconds later."""
        programme.call('<Pause length="2"/><Say>a</Say>')
        assert programme.heard == ["a", END], "it rang; nothing was sent"
        assert next(line.outcome for line in programme.ledger.of("verb")) == "not answered yet"

    def test_a_caller_who_gives_up_before_the_answer(self, programme: Programme) -> None:
        """CANCEL while it rings: canceled."""
        call = programme.dialled()
        programme.site.serve("/voice", '<Pause length="60"/><Say>a</Say>', meanwhile=lambda: call.post(CANCELLED))
        programme.run(call)
        assert programme.ledger.statuses == ["ringing", "canceled"]
        assert not programme.leg.answered

    def test_nobody_waits_for_ever(self, programme: Programme) -> None:
        """A telephone that rings too long is refused by the signalling: no-answer."""
        call = programme.dialled()
        programme.site.serve("/voice", '<Pause length="600"/>', meanwhile=lambda: call.post(Ended("we hung up")))
        programme.run(call)
        assert programme.ledger.statuses == ["ringing", "no-answer"]

    def test_keys_pressed_meanwhile_are_kept(self, programme: Programme) -> None:
        """Typed-ahead digits count."""
        programme.site.serve("/next")
        programme.call(
            '<Say>a</Say><Pause/><Gather action="/next" numDigits="1"/>', on_play={2: (Digit("7"), PlaybackDone(2))}
        )
        assert programme.site.of("/next")[0]["Digits"] == "7"


def test_tones_of_keys_are_heard_as_these_keys() -> None:
    """What Play makes of digits, the detector of keys takes."""
    tones = g711.decode(key_tones("0123456789*#ABCD", Law.PCMA), Law.PCMA)
    assert KeyTones().hear(tones, []) == "0123456789*#ABCD"
