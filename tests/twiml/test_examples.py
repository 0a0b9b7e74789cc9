"""The examples of docs/examples: what a caller would hear of each, asked over HTTP as a call asks."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.twiml.example import EXAMPLES, TOKEN, Reader, load, serving

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.fixture
def base(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the example that the test class names."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    with serving(load(request.cls.example)) as url:
        yield url


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short(name: str) -> None:
    assert 15 <= len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 40


class TestAfterHours:
    example = "after_hours"

    def test_a_key_answers_and_the_menu_comes_again(self, base: str) -> None:
        call = Reader(base)
        assert "press 1" in call.said
        call.press("1")
        assert call.said == "We are open from nine to five, Monday to Friday."
        call.redirect()
        assert "press 1" in call.said

    @pytest.mark.parametrize("key", ["", "0"])
    def test_a_message_is_taken(self, base: str, key: str) -> None:
        """By 0, and by nothing at all."""
        call = Reader(base)
        if key:
            call.press(key)
        (step,) = call.redirect()
        assert (step.name, step.attributes["mailbox"]) == ("Voicemail", "1001")

    def test_another_key_is_told(self, base: str) -> None:
        call = Reader(base)
        call.press("7")
        assert call.said == "There is nothing on that key."


class TestSurvey:
    example = "survey"

    def test_answers_are_kept_by_call(self, base: str) -> None:
        call = Reader(base)
        for number, asked in enumerate(("How did you hear of us?", "What should we do better?")):
            assert call.said.startswith(asked)
            call.ask(call.step("Record").attributes["action"], RecordingUrl=f"http://h/RE{number}", Digits="#")
        assert call.said == "Thank you. Goodbye."
        assert httpx.get(f"{base}/answers").json() == {"CA" + "1" * 32: ["http://h/RE0", "http://h/RE1"]}

    def test_who_says_nothing_is_asked_the_next(self, base: str) -> None:
        call = Reader(base)
        call.redirect()
        assert call.said.startswith("What should we do better?")
        assert httpx.get(f"{base}/answers").json() == {}

    def test_strangers_are_refused(self, base: str) -> None:
        answer = httpx.post(f"{base}/voice", data={"RecordingUrl": "http://evil"}, headers={"X-Twilio-Signature": "x"})
        assert answer.status_code == 403


class TestAppointments:
    example = "appointments"

    @pytest.mark.parametrize(
        ("key", "language", "offer", "booked"),
        [
            ("1", "en", "For 11 o'clock, press 2.", "We expect you at 11 o'clock. Goodbye."),
            ("2", "es", "Para las 11 horas, pulse 2.", "Le esperamos a las 11 horas. Adiós."),
        ],
    )
    def test_in_both_languages(self, base: str, key: str, language: str, offer: str, booked: str) -> None:
        call = Reader(base)
        assert [step.attributes["language"] for step in call.step("Gather").children] == ["en", "es"]
        call.press(key)
        assert offer in call.said
        assert {step.attributes["language"] for step in call.step("Gather").children} == {language}
        call.press("2")
        assert call.said == booked
        assert call.step("Say").attributes["language"] == language

    def test_an_hour_is_given_once(self, base: str) -> None:
        first, second = Reader(base), Reader(base, From="+15550002")
        first.press("1")
        second.press("1")
        first.press("3")
        second.press("3")
        second.redirect()
        assert "15" not in second.said
        assert "For 9 o'clock, press 1." in second.said
