"""Each attribute of each verb: its default, what it takes, what it does not. docs/twiml.md quotes the rules."""

from __future__ import annotations

from typing import Any

import pytest
from twilio.twiml.voice_response import VoiceResponse

from tests.twiml.documents import only, read, refused, with_verb
from voice.twiml.table import VERBS

METHODS = {"GET": "GET", "POST": "POST", "get": "GET"}
BOOLEANS = {"true": True, "false": False, "True": True}
ADDRESSES = {"/next": "/next", "https://h.example/a?b=c&d=%20e": "https://h.example/a?b=c&d=%20e", " next ": "next"}
NO_BOOLEANS = ("yes", "1", "")
NO_METHODS = ("PUT", "", "GET POST")


class Rule:
    """What a test of an attribute says: the default, good values and what they become, wrong ones and their number."""

    verb = ""
    text = ""

    def holds(self, name: str, default: Any, good: dict[str, Any], wrong: tuple[str, ...] = (), code: int = 0) -> None:
        assert only(with_verb(self.verb, self.text)).attributes[name] == default
        for raw, value in good.items():
            assert only(with_verb(self.verb, self.text, **{name: raw})).attributes[name] == value
        for raw in wrong:
            written = with_verb(self.verb, self.text, **{name: raw})
            document = read(written)
            (notice,) = document.notices
            assert (document.steps[0].attributes[name], notice.code, notice.line) == (default, code, 1)
            assert name in notice.text
            error = refused(written, strict=True)
            assert (error.code, error.line, error.column) == (notice.code, notice.line, notice.column)

    def is_left_out(self, name: str, idle: str = "", given: str = "x") -> None:
        """Not yet: noticed, and without effect. idle: the value that says what happens anyway."""
        document = read(with_verb(self.verb, self.text, **{name: given}))
        assert name not in document.steps[0].attributes
        (notice,) = document.notices
        assert "not supported yet" in notice.text
        if idle:
            assert read(with_verb(self.verb, self.text, **{name: idle})).notices == ()


class TestPlay(Rule):
    verb = "Play"
    text = "https://h.example/a.wav"

    def test_loop(self) -> None:
        """0 plays it until the caller hangs up."""
        self.holds("loop", 1, {"0": 0, "3": 3, " 1000 ": 1000}, ("-1", "1001", "two", "1.5", "", "٣"), 13410)

    def test_digits(self) -> None:
        """With digits, no sound is fetched, and the text may be empty."""
        self.holds("digits", "", {"1ww2W#*": "1ww2W#*", "abcd": "ABCD"}, ("1,2", "E", "1" * 501), 13430)
        assert only(with_verb("Play", digits="1")).text == ""


class TestSay(Rule):
    verb = "Say"
    text = "Hello"

    def test_voice(self) -> None:
        """Any name is taken; one that nobody knows is noticed."""
        self.holds(
            "voice", "", {name: name for name in ("man", "woman", "alice", "Polly.Joanna", "Google.es-US-Wavenet-A")}
        )

    def test_language(self) -> None:
        """A language tag (BCP 47); the nearest voice of its language speaks."""
        self.holds("language", "", {"en": "en", "es-MX": "es-MX", "zh-CN": "zh-CN"}, ("x" * 201,), 13512)

    def test_loop(self) -> None:
        """0 says it until the caller hangs up."""
        self.holds("loop", 1, {"0": 0, "2": 2}, ("-1", "x"), 13510)


class TestPause(Rule):
    verb = "Pause"

    def test_length(self) -> None:
        """At least one. As the first verb of a call it waits with the answer."""
        self.holds("length", 1, {"1": 1, "10": 10}, ("0", "-2", "0.5", "long"), 13910)


class TestRecord(Rule):
    verb = "Record"

    def test_action(self) -> None:
        """Its answer is what goes on; an empty recording is told to nobody, and the next verb runs."""
        self.holds("action", "", ADDRESSES)

    def test_method(self) -> None:
        """GET puts the parameters into the query."""
        self.holds("method", "POST", METHODS, NO_METHODS, 13610)

    def test_timeout(self) -> None:
        """Counted from the last word, and from the start where nothing is said."""
        self.holds("timeout", 5, {"0": 0, "10": 10}, ("-1", "x", "", "5s"), 13611)

    def test_finish_on_key(self) -> None:
        """Any of them; the one that was pressed is sent as Digits."""
        self.holds("finishOnKey", "1234567890*#", {"#": "#", "*#": "*#", "": "", "11": "1"}, ("A", "any", " "), 13613)

    def test_max_length(self) -> None:
        """The tone before it does not count."""
        self.holds("maxLength", 3600, {"1": 1, "30": 30, "86400": 86400}, ("0", "86401", "9" * 40, "x"), 13612)

    def test_play_beep(self) -> None:
        """The tone is not in the recording."""
        self.holds("playBeep", True, BOOLEANS, NO_BOOLEANS, 13616)

    def test_trim(self) -> None:
        """What is heard is never cut off. A recording that is silent all through is then told as absent, and kept."""
        self.holds("trim", "trim-silence", {"do-not-trim": "do-not-trim"}, ("trim", "", "true"), 13699)

    def test_recording_status_callback(self) -> None:
        """Its answer is not looked at, and the call does not wait for it."""
        self.holds("recordingStatusCallback", "", ADDRESSES)

    def test_recording_status_callback_method(self) -> None:
        """GET puts the parameters into the query."""
        self.holds("recordingStatusCallbackMethod", "POST", METHODS, NO_METHODS, 12200)

    def test_recording_status_callback_event(self) -> None:
        """Several may be named, with spaces between."""
        good = {
            "in-progress": ("in-progress",),
            "in-progress completed": ("in-progress", "completed"),
            "absent": ("absent",),
        }
        self.holds("recordingStatusCallbackEvent", ("completed",), good, ("", "done", "completed done"), 13621)

    def test_transcribe(self) -> None:
        self.is_left_out("transcribe", idle="false", given="true")

    def test_transcribe_callback(self) -> None:
        self.is_left_out("transcribeCallback")

    def test_recording_configuration_id(self) -> None:
        self.is_left_out("recordingConfigurationId")


class TestGather(Rule):
    verb = "Gather"

    def test_input(self) -> None:
        """Only keys are taken."""
        self.holds("input", "dtmf", {"dtmf": "dtmf"}, ("speech", "dtmf speech", "speech dtmf", "keys"), 13326)

    def test_action(self) -> None:
        """Asked when keys were pressed; without one, the next verb runs."""
        self.holds("action", "", ADDRESSES)

    def test_method(self) -> None:
        """GET puts the parameters into the query."""
        self.holds("method", "POST", METHODS, NO_METHODS, 13312)

    def test_timeout(self) -> None:
        """Counted after the nested verbs, and anew after each key."""
        self.holds("timeout", 5, {"1": 1, "60": 60}, ("0", "-1", "auto", "x"), 13313)

    def test_finish_on_key(self) -> None:
        """It is not among the Digits; alone, it leads to the next verb."""
        self.holds("finishOnKey", "#", {"*": "*", "": "", "5": "5"}, ("##", "A", "12", " "), 13310)

    def test_num_digits(self) -> None:
        """With the last of them the action is asked at once."""
        self.holds("numDigits", 0, {"1": 1, "4": 4}, ("0", "-1", "many"), 13314)

    def test_action_on_empty_result(self) -> None:
        """Where nothing is pressed, Digits is empty."""
        self.holds("actionOnEmptyResult", False, BOOLEANS, NO_BOOLEANS, 13338)

    @pytest.mark.parametrize(
        ("name", "idle"),
        [
            ("language", ""), ("hints", ""), ("speechTimeout", ""), ("maxSpeechTime", ""), ("speechModel", ""),
            ("enhanced", "false"), ("profanityFilter", "true"), ("bargeIn", "true"), ("partialResultCallback", ""),
            ("partialResultCallbackMethod", "POST"), ("debug", "false"),
        ],
    )  # fmt: skip
    def test_speech(self, name: str, idle: str) -> None:
        self.is_left_out(name, idle)


class TestRedirect(Rule):
    verb = "Redirect"
    text = "/next"

    def test_method(self) -> None:
        """GET puts the parameters into the query."""
        self.holds("method", "POST", METHODS, NO_METHODS, 13710)


class TestReject(Rule):
    verb = "Reject"

    def test_reason(self) -> None:
        """`rejected` is SIP 603. A call that was answered already is hung up, with a notice."""
        self.holds("reason", "rejected", {"busy": "busy", "rejected": "rejected"}, ("declined", ""), 13810)


class TestVoicemail(Rule):
    verb = "Voicemail"

    def test_mailbox(self) -> None:
        """Needed, unless the URL is a mailbox's own. Without such a mailbox, the document ends with error 12200."""
        self.holds("mailbox", "", {"1001": "1001"})

    def test_reason(self) -> None:
        """`busy` plays the greeting for a busy line, the others the one for calls that nobody answers."""
        good = {reason: reason for reason in ("busy", "no-answer", "unavailable", "unconditional")}
        self.holds("reason", "", good, ("lunch",), 12200)


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_defaults_are_what_the_reader_would_give(verb: Any) -> None:
    """A default that the table shows as a value is read as that value."""
    for row in verb.attributes:
        shown = " ".join(row.default) if isinstance(row.default, tuple) else str(row.default)
        if not row.shown and row.default != "":
            assert row.read(shown) == row.default


def test_the_library_writes_no_attribute_that_is_unknown() -> None:
    """Every argument of its methods is a row of the table."""
    import inspect

    for name, verb in VERBS.items():
        if not verb.page:
            continue
        arguments = set(inspect.signature(getattr(VoiceResponse, name.lower())).parameters)
        arguments -= {"self", "kwargs", "url", "message"}
        words = {"".join([first, *map(str.title, rest)]) for first, *rest in (word.split("_") for word in arguments)}
        assert words == {row.name for row in verb.attributes}
