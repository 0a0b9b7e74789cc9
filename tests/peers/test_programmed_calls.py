"""Programmed calls by telephone: every verb with real SIP and RTP, and what was heard of it."""

from __future__ import annotations

import os
import signal
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.peers.baresip import Baresip, needs_baresip
from tests.peers.programmed import House
from tests.peers.sipp import needs_root, needs_sipp, run
from tests.peers.speech import likeness, place_of, samples, speech, speech_pcm
from tests.support import make_settings, until
from tests.twiml.programme import WAV
from tests.twiml.test_verbs_heard import wav
from voice.caller import Caller
from voice.media import tones
from voice.media.g711 import Law
from voice.media.inband import KeyTones
from voice.prompts import Prompts
from voice.synthesis.synthesis import Synthesis

pytestmark = [pytest.mark.peers, pytest.mark.slow]

QUIET = bytes(2 * 8000 * 60)
MUSIC, MORE_MUSIC = speech_pcm(1.2, seed=41), speech_pcm(0.8, seed=42)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A voice worker and a server of documents."""
    house = House(tmp_path_factory.mktemp("programmed"))
    house.site.serve("/music.wav", kind=WAV, body=wav(MUSIC))
    house.site.serve("/more.wav", kind=WAV, body=wav(MORE_MUSIC))
    house.worker.wait_ready()
    yield house
    house.close()


def numbers(pcm16: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm16, "<i2").astype(np.float64)


def frames_of(path: Path) -> bytes:
    """The 16-bit samples of a WAV."""
    with wave.open(str(path)) as sound:
        return sound.readframes(-1)


def keys_in(heard: NDArray[np.float64]) -> str:
    """The keys whose tones are in what was heard."""
    return KeyTones().hear(np.clip(heard, -32768, 32767).astype("<i2").tobytes(), [])


class Phone:
    """A call by baresip, to its end."""

    def __init__(self, house: House, number: str, folder: Path, say: bytes = QUIET) -> None:
        self.house = house
        self.phone = Baresip(folder / f"phone{number}", say)
        self.phone.command("dial", f"sip:{number}@{house.worker.host}:{house.worker.port}")

    def until_closed(self, answered: bool = True) -> NDArray[np.float64]:
        """Wait for the end; what was heard."""
        self.phone.wait("CALL_CLOSED", 60)
        self.phone.quit()
        return self.phone.heard() if answered else np.zeros(0)

    @property
    def call_id(self) -> str:
        return next(str(event["id"]) for event in self.phone.events if event.get("id"))


@needs_baresip
class TestByBaresip:
    @pytest.fixture(autouse=True)
    def folder(self, house: House, tmp_path: Path) -> None:
        self.house, self.folder_of_phones = house, tmp_path

    def phone(self, number: str, say: bytes = QUIET) -> Phone:
        return Phone(self.house, number, self.folder_of_phones, say)

    def test_say(self, tmp_path: Path) -> None:
        """Speech in English, then in Spanish, as the engines say these sentences."""
        texts = {"en": "Good morning, everybody.", "es": "Buenos días a todos."}
        says = "".join(f'<Say language="{language}">{text}</Say>' for language, text in texts.items())
        heard = self.phone(self.house.number(says)).until_closed()
        with closing(Synthesis(make_settings(tmp_path / "engines"))) as engines:
            said = {language: engines.say(text, language, "").path for language, text in texts.items()}
        english, spanish = (numbers(frames_of(path)) for path in said.values())
        assert likeness(heard, english) > 0.9
        assert likeness(heard, spanish) > 0.9
        assert place_of(heard, english) < place_of(heard, spanish)

    def test_play(self) -> None:
        """Two sounds in order, the second twice."""
        number = self.house.number('<Play>/music.wav</Play><Play loop="2">/more.wav</Play>')
        heard = self.phone(number).until_closed()
        assert likeness(heard, numbers(MUSIC)) > 0.9
        # On a machine that is too busy there is a gap of some ms between.
        assert likeness(heard, numbers(MORE_MUSIC + MORE_MUSIC)) > 0.6

    def test_play_digits(self) -> None:
        number = self.house.number('<Play digits="12w#"/>')
        assert keys_in(self.phone(number).until_closed()) == "12#"

    def test_pause(self) -> None:
        """A second of silence between two sounds."""
        number = self.house.number('<Play>/music.wav</Play><Pause length="1"/><Play>/more.wav</Play>')
        heard = self.phone(number).until_closed()
        between = place_of(heard, numbers(MORE_MUSIC)) - place_of(heard, numbers(MUSIC)) - len(MUSIC) / 2
        # The second sound is fetched when it is its turn, which takes a busy machine a while.
        assert 7500 < between < 16000

    def test_gather_with_barge_in(self) -> None:
        """A key stops what is heard; keys by telephone events (RFC 4733)."""
        number = self.house.number('<Gather action="chosen"><Play loop="0">/music.wav</Play></Gather>')
        self.house.serve(number, "chosen", "<Play>/more.wav</Play>")
        phone = self.phone(number)
        phone.phone.wait("CALL_ESTABLISHED")
        for key in "407#":
            phone.phone.command("sndcode", key)
        heard = phone.until_closed()
        assert self.house.asked(number, "chosen")["Digits"] == "407"
        assert likeness(heard, numbers(MORE_MUSIC)) > 0.9

    def test_record(self) -> None:
        """What was said is what was recorded; its URL is told."""
        said = speech_pcm(2.0, seed=43)
        number = self.house.number('<Record action="done" timeout="2" playBeep="false"/><Say>Nothing</Say>')
        self.house.serve(number, "done", "<Play>/music.wav</Play>")
        heard = self.phone(number, bytes(2 * 4000) + said + QUIET).until_closed()
        asked = self.house.asked(number, "done")
        assert asked["RecordingUrl"].endswith(f"/Recordings/{asked['RecordingSid']}")
        assert 2 <= int(asked["RecordingDuration"]) <= 4
        assert likeness(samples(recording(self.house, asked["RecordingSid"])), numbers(said)) > 0.9
        assert likeness(heard, numbers(MUSIC)) > 0.9

    def test_redirect_and_hangup(self) -> None:
        number = self.house.number("<Play>/music.wav</Play><Redirect>next</Redirect>")
        self.house.serve(number, "next", "<Play>/more.wav</Play><Hangup/><Play>/music.wav</Play>")
        heard = self.phone(number).until_closed()
        assert likeness(heard, numbers(MORE_MUSIC)) > 0.9
        assert len(heard) < 8000 * 5

    @pytest.mark.parametrize(("reason", "said"), [("busy", "486"), ("rejected", "603")])
    def test_reject(self, reason: str, said: str) -> None:
        number = self.house.number(f'<Reject reason="{reason}"/>')
        phone = self.phone(number)
        phone.until_closed(answered=False)
        closed = next(event for event in phone.phone.events if event.get("type") == "CALL_CLOSED")
        assert said in str(closed["param"])
        assert not any(event.get("type") == "CALL_ESTABLISHED" for event in phone.phone.events)

    def test_voicemail(self) -> None:
        """A message by a document of one line."""
        before = len(self.house.instance.messages("1001"))
        number = self.house.number('<Voicemail mailbox="1001"/>')
        said = speech_pcm(2.0, seed=44)
        heard = self.phone(number, bytes(2 * 8000 * 3) + said + QUIET).until_closed()
        assert likeness(heard, numbers(self.house.instance.greeting)) > 0.9
        until(lambda: len(self.house.instance.messages("1001")) == before + 1, 20, "the message")


@needs_sipp
class TestBySipp:
    GATHER = '<Gather action="chosen" timeout="10"><Play>/music.wav</Play></Gather><Say>Nothing</Say>'

    def test_keys_by_info_and_headers_of_the_invite(self, house: House, tmp_path: Path) -> None:
        number = house.number(self.GATHER)
        house.serve(number, "chosen")
        done = run("keys_by_info", house.worker, number, tmp_path)
        assert done.passed, done.errors
        asked = house.asked(number, "chosen")
        assert (asked["Digits"], asked["FinishedOnKey"], asked["From"], asked["To"]) == ("42", "#", "2000", number)
        assert (asked["SipHeader_X-Account"], asked["SipHeader_X-Campaign"]) == ("42", 'spring "sale"')
        assert house.call(done.call_id).status == "completed"

    @needs_root
    def test_keys_by_telephone_events(self, house: House, tmp_path: Path) -> None:
        number = house.number(self.GATHER)
        house.serve(number, "chosen")
        done = run("keys_by_events", house.worker, number, tmp_path)
        assert done.passed, done.errors
        assert house.asked(number, "chosen")["Digits"] == "42"

    @pytest.mark.parametrize(("verbs", "status"), [('<Reject reason="busy"/>', "486"), ("<Reject/>", "603")])
    def test_reject(self, house: House, tmp_path: Path, verbs: str, status: str) -> None:
        number = house.number(verbs)
        done = run("refused", house.worker, number, tmp_path, replace={"STATUS": status})
        assert done.passed, done.errors
        assert house.call(done.call_id).status == ("busy" if status == "486" else "no-answer")

    def test_who_gives_up_while_the_server_thinks(self, house: House, tmp_path: Path) -> None:
        """CANCEL is answered at once, and the end of the call is told."""
        held: list[Any] = []
        number = house.number("<Pause length='60'/><Say>never</Say>", status_callback=f"{house.site.base}/held")
        house.site.serve("/held", meanwhile=lambda: held.append(1))
        done = run("cancel", house.worker, number, tmp_path)
        assert done.passed, done.errors
        assert house.call(done.call_id).status == "canceled"
        until(lambda: held, 10, "the status callback")
        assert house.site.of("/held")[0]["CallStatus"] == "canceled"

    def test_a_number_that_nobody_has(self, house: House, tmp_path: Path) -> None:
        done = run("refused", house.worker, "5559999", tmp_path, replace={"STATUS": "404"})
        assert done.passed, done.errors


class TestByOurCaller:
    def test_one_call_through_all_of_it(self, house: House) -> None:
        """Say, Play, Gather, Record, Redirect, Voicemail, one after the other."""
        number = house.number(
            '<Gather action="chosen" numDigits="2"><Say>Press two keys.</Say></Gather>',
            status_callback=f"{house.site.base}/over",
        )
        house.serve(number, "chosen", '<Play digits="5"/><Record action="recorded" finishOnKey="*"/>')
        house.serve(number, "recorded", '<Redirect method="GET">last</Redirect>')
        house.serve(number, "last", '<Voicemail mailbox="1001"/>')
        house.site.serve("/over")
        before = len(house.instance.messages("1001"))
        with Caller(house.worker.host, house.worker.port, "2001", "Ann") as caller:
            caller.dial(number, headers=(("X-Account", "7"),))
            caller.press("12")
            caller.wait_tone(tones.BEEP_HZ, 20, to_its_end=True)
            caller.speak(speech(1.5))
            caller.press("*")
            caller.wait_tone(tones.BEEP_HZ, 20, to_its_end=True)
            caller.speak(speech(1.5, seed=2))
            caller.press("#")
            assert caller.wait(lambda: caller.ended, 30)
            assert "5" in keys_in(samples(b"".join(caller.frames)))
            row, verbs = house.call(caller.call_id), house.verbs(caller.call_id)
        assert [name for name, _ in verbs] == ["Gather", "Say", "Play", "Record", "Redirect", "Voicemail"]
        assert (row.status, row.caller, row.called, row.error) == ("completed", "2001", number, "")
        assert house.asked(number, "chosen")["Digits"] == "12"
        assert house.asked(number, "recorded")["Digits"] == "*"
        assert house.asked(number, "last")["SipHeader_X-Account"] == "7"
        until(lambda: house.site.of("/over"), 10, "the status callback")
        assert house.site.of("/over")[0]["CallStatus"] == "completed"
        until(lambda: len(house.instance.messages("1001")) == before + 1, 20, "the message")

    def test_mailbox(self, house: House) -> None:
        """Welcome, and the question for the mailbox, as *97 has it."""
        number = house.number("<Mailbox/>")
        welcome = samples(Prompts("en").prompt("welcome", "en", Law.PCMU))
        with Caller(house.worker.host, house.worker.port) as caller:
            caller.dial(number)
            caller.listen(len(welcome) / 8000 + 1)
            caller.hang_up()
            assert house.verbs(caller.call_id) == [("Mailbox", "caller hung up")]
        assert likeness(samples(b"".join(caller.frames)), welcome) > 0.9

    def test_a_hang_up_in_a_recording_still_posts(self, house: House) -> None:
        number = house.number('<Record action="done"/>')
        house.serve(number, "done", "<Say>never</Say>")
        with Caller(house.worker.host, house.worker.port) as caller:
            caller.dial(number)
            caller.wait_tone(tones.BEEP_HZ, 20, to_its_end=True)
            caller.speak(speech(1.5))
            caller.hang_up()
            asked = house.asked(number, "done")
            assert (asked["Digits"], asked["CallStatus"]) == ("hangup", "completed")
            assert house.verbs(caller.call_id) == [("Record", house.verbs(caller.call_id)[0][1])]
        assert len(recording(house, asked["RecordingSid"])) > 8000

    @pytest.mark.parametrize("verbs", ["<Say>{}</Say>", "<Pause length='30'/>", "<Gather timeout='30'/>", "<Record/>"])
    def test_a_hang_up_at_a_verb_ends_the_call(self, house: House, verbs: str) -> None:
        number = house.number("<Play>/music.wav</Play>" + verbs.format("A long text. " * 20))
        with Caller(house.worker.host, house.worker.port) as caller:
            caller.dial(number)
            caller.listen(2.0)
            caller.hang_up()
            assert house.call(caller.call_id).status == "completed"
            assert house.verbs(caller.call_id)[-1][0] in verbs

    def test_an_apology_is_heard_where_the_server_fails(self, house: House) -> None:
        number = house.number("<Redirect>nowhere</Redirect>", language="fr")
        with Caller(house.worker.host, house.worker.port) as caller:
            caller.dial(number)
            assert caller.wait(lambda: caller.ended, 30)
            heard = samples(b"".join(caller.frames))
            row = house.call(caller.call_id)
        assert likeness(heard, samples(Prompts("en").prompt("application_error", "fr", Law.PCMU))) > 0.9
        assert (row.status, row.error_code) == ("completed", 11217)

    def test_a_mailbox_answers_where_its_own_script_fails(self, house: House) -> None:
        """No message is lost: greeting and recording run."""
        house.instance.mailbox("1002")
        house.script_of("1002", f"{house.site.base}/nowhere/at/all")
        with Caller(house.worker.host, house.worker.port) as caller:
            caller.dial("1002")
            caller.wait_tone(tones.BEEP_HZ, 20, to_its_end=True)
            caller.speak(speech(2.0))
            caller.press("#")
            assert caller.wait(lambda: caller.ended, 30)
            assert house.call(caller.call_id).error_code == 11217
        assert house.instance.message("1002").state == "new"

    def test_the_courier_is_killed(self, house: House) -> None:
        """The caller hears an apology, the next call works."""
        number = house.number("<Play>/music.wav</Play><Gather timeout='2'/><Play>/more.wav</Play>")
        children = house.worker.children()
        (courier,) = [pid for pid in children if pid not in house.worker.keepers()]
        with Caller(house.worker.host, house.worker.port) as caller:
            caller.dial(number)
            caller.listen(0.5)
            os.kill(courier, signal.SIGKILL)
            assert caller.wait(lambda: caller.ended, 40)
        with Caller(house.worker.host, house.worker.port) as caller:
            caller.dial(number)
            assert caller.wait(lambda: caller.ended, 40)
            assert likeness(samples(b"".join(caller.frames)), numbers(MORE_MUSIC)) > 0.9


def recording(house: House, sid: str) -> bytes:
    """The payload of a recording in the spool."""
    for path in house.instance.settings.spool_dir.glob("*.json"):
        if sid in path.read_text():
            return path.with_suffix(".wav").read_bytes()[58:]
    raise AssertionError(f"no recording {sid}")
