"""The verbs and their attributes: the one table that documents are read by and docs/twiml.md is made from."""

from __future__ import annotations

from dataclasses import dataclass

from voice.twiml import codes
from voice.twiml.kinds import Attribute, Kind, Support

NAMESPACE = "urn:voicemail-pro:1"
"""The XML namespace of the verbs that Twilio does not have. Its last part goes up when one of them changes meaning."""
PAGES = "https://www.twilio.com/docs/voice/twiml"
DAY = 86400
MOST_WORDS = 4096


@dataclass(frozen=True)
class Verb:
    """A verb. page: Twilio's page of it, empty for ours. text: what stands in it, empty where nothing may.

    children: verbs that may be nested. needed: its text or one of these attributes must be there; empty: nothing must.
    """

    name: str
    page: str
    meaning: str
    attributes: tuple[Attribute, ...] = ()
    text: str = ""
    children: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    support: Support = Support.FULL
    how: str = ""

    def attribute(self, name: str) -> Attribute | None:
        """The row of an attribute, by its exact name."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)


def _action(meaning: str) -> Attribute:
    return Attribute("action", Kind.URL, "", meaning, shown="this document")


def _method(code: int, name: str = "method", of: str = "the action is") -> Attribute:
    return Attribute(name, Kind.METHOD, "POST", f"How {of} asked", code)


def _loop(code: int) -> Attribute:
    return Attribute("loop", Kind.WHOLE, 1, "How many times", code, highest=1000)


def _later(name: str, kind: Kind, meaning: str, code: int = codes.SCHEMA, *, default: str | bool = "") -> Attribute:
    return Attribute(name, kind, default, meaning, code, support=Support.NOT_YET)


PLAY = Verb(
    "Play",
    f"{PAGES}/play",
    "Plays a sound, or sends keys as tones",
    (
        _loop(codes.PLAY_LOOP),
        Attribute(
            "digits", Kind.TONES, "", "Tones to send, in place of a sound; w waits 0.5 s, W 1 s", codes.PLAY_TONES
        ),
    ),
    text="the URL of the sound",
    needed=("digits",),
)
SAY = Verb(
    "Say",
    f"{PAGES}/say",
    "Speaks a text",
    (
        Attribute(
            "voice", Kind.TEXT, "", "The voice", codes.SAY_VOICE, support=Support.DIFFERS, shown="the language's",
            how="the voices of SVOX Pico and Kokoro speak, by their own names too; a name of Twilio's, Polly's or "
            "Google's says whether it is a woman's or a man's, and its language where `language` is not given",
        ),
        Attribute(
            "language", Kind.TEXT, "", "The language, such as `en` or `es-MX`", codes.SAY_LANGUAGE,
            support=Support.DIFFERS, shown="the number's",
            how="English, Spanish, French, German and Italian; `make speech` adds Chinese and Japanese; what nobody "
            "speaks is said as if it were in another language, with a notice, or ends the document where that has no "
            "sound for it",
        ),
        _loop(codes.SAY_LOOP),
    ),
    text="what is said, up to 4096 characters",
    needed=("",),
    support=Support.DIFFERS,
    how="of SSML, the words are said (of `<sub>`, its alias), and the rest is left out with a notice",
)  # fmt: skip
PAUSE = Verb(
    "Pause",
    f"{PAGES}/pause",
    "Waits in silence",
    (Attribute("length", Kind.WHOLE, 1, "Seconds", codes.PAUSE_LENGTH, lowest=1, highest=DAY),),
)
RECORD = Verb(
    "Record",
    f"{PAGES}/record",
    "Records the caller",
    (
        _action("Who is told of the recording, and says how it goes on"),
        _method(codes.RECORD_METHOD),
        Attribute(
            "timeout", Kind.WHOLE, 5, "Seconds of silence that end it; 0: none do", codes.RECORD_TIMEOUT, highest=DAY
        ),
        Attribute("finishOnKey", Kind.KEYS, "1234567890*#", "Keys that end it", codes.RECORD_KEYS),
        Attribute("maxLength", Kind.WHOLE, 3600, "Seconds at most", codes.RECORD_LENGTH, lowest=1, highest=DAY),
        Attribute("playBeep", Kind.BOOLEAN, True, "A tone before it", codes.RECORD_BEEP),
        Attribute(
            "trim", Kind.CHOICE, "trim-silence", "Silence is cut off, or not", codes.RECORD_TRIM,
            choices=("trim-silence", "do-not-trim"), support=Support.DIFFERS,
            how="silence is cut off at the end; before the first word it stays",
        ),
        Attribute("recordingStatusCallback", Kind.URL, "", "Who is told what becomes of the recording", shown="none"),
        _method(codes.SCHEMA, "recordingStatusCallbackMethod", "`recordingStatusCallback` is"),
        Attribute(
            "recordingStatusCallbackEvent", Kind.CHOICES, ("completed",), "What it is told of", codes.RECORD_EVENT,
            choices=("in-progress", "completed", "absent"),
        ),
        _later("transcribe", Kind.BOOLEAN, "The recording as text", codes.RECORD_TRANSCRIBE, default=False),
        _later("transcribeCallback", Kind.URL, "Who gets the text"),
        _later("recordingConfigurationId", Kind.TEXT, "Twilio's own stores and formats"),
    ),
)  # fmt: skip
GATHER = Verb(
    "Gather",
    f"{PAGES}/gather",
    "Takes keys, while nested verbs are heard",
    (
        Attribute(
            "input", Kind.CHOICE, "dtmf", "What is taken", codes.GATHER_INPUT, choices=("dtmf",),
            later=("speech", "dtmf speech", "speech dtmf"), support=Support.DIFFERS,
            how="keys are taken, speech is not yet, with a notice",
        ),
        _action("Who gets the keys, and says how it goes on"),
        _method(codes.GATHER_METHOD),
        Attribute(
            "timeout", Kind.WHOLE, 5, "Seconds without a key that end it", codes.GATHER_TIMEOUT, lowest=1, highest=DAY
        ),
        Attribute("finishOnKey", Kind.KEY, "#", "The key that ends it; empty: none does", codes.GATHER_KEY),
        Attribute(
            "numDigits", Kind.WHOLE, 0, "Keys that end it by their number", codes.GATHER_DIGITS, lowest=1, highest=1000,
            shown="no limit",
        ),
        Attribute(
            "actionOnEmptyResult", Kind.BOOLEAN, False, "The action is asked without a key, too", codes.GATHER_EMPTY
        ),
        _later("language", Kind.TEXT, "The language that is spoken"),
        _later("hints", Kind.TEXT, "Words that may be spoken"),
        _later("speechTimeout", Kind.TEXT, "Seconds of silence that end speech"),
        _later("maxSpeechTime", Kind.TEXT, "Seconds of speech at most"),
        _later("speechModel", Kind.TEXT, "Who recognises speech"),
        _later("enhanced", Kind.BOOLEAN, "A better model of speech", default=False),
        _later("profanityFilter", Kind.BOOLEAN, "Hides bad words", default=True),
        _later("bargeIn", Kind.BOOLEAN, "Speech stops what is heard", default=True),
        _later("partialResultCallback", Kind.URL, "Who gets speech as it comes"),
        _later("partialResultCallbackMethod", Kind.TEXT, "How that one is asked", default="POST"),
        _later("debug", Kind.BOOLEAN, "More about speech", default=False),
    ),
    children=("Say", "Play", "Pause"),
)  # fmt: skip
REDIRECT = Verb(
    "Redirect",
    f"{PAGES}/redirect",
    "Goes on with another document; what follows it is never reached",
    (_method(codes.REDIRECT_METHOD, of="it is"),),
    text="the URL of the document; empty: this one again",
)
REJECT = Verb(
    "Reject",
    f"{PAGES}/reject",
    "Does not answer the call; only before anything was heard",
    (
        Attribute(
            "reason", Kind.CHOICE, "rejected", "What the caller gets: `busy` is SIP 486", codes.REJECT_REASON,
            choices=("rejected", "busy"),
        ),
    ),
)  # fmt: skip
HANGUP = Verb("Hangup", f"{PAGES}/hangup", "Ends the call")
VOICEMAIL = Verb(
    "Voicemail",
    "",
    "Takes a message as a mailbox does, with its greeting; the call ends with it",
    (
        Attribute("mailbox", Kind.TEXT, "", "Its extension", ours=True, shown="the number's own mailbox"),
        Attribute(
            "reason", Kind.CHOICE, "", "Why nobody answers: chooses the greeting", ours=True, shown="the call's own",
            choices=("busy", "no-answer", "unavailable", "unconditional"),
        ),
    ),
)  # fmt: skip
MAILBOX = Verb("Mailbox", "", "Lets an owner hear messages, as `*97` does: asks for mailbox and PIN where it must")

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (PLAY, SAY, PAUSE, RECORD, GATHER, REDIRECT, REJECT, HANGUP, VOICEMAIL, MAILBOX)
}  # fmt: skip
"""Every verb that runs, by its name."""

NOT_YET: dict[str, str] = {
    "Dial": "Connects the caller with somebody else",
    "Enqueue": "Puts the caller into a queue",
    "Leave": "Takes the caller out of a queue",
    "Refer": "Hands the call over by SIP",
    "Connect": "Connects the call with a program",
    "Start": "Starts a stream, a recording or a transcription beside the call",
    "Stop": "Ends what Start has started",
    "Pay": "Takes a payment by keys",
    "Prompt": "Says what Pay asks for",
    "Echo": "Sends back what it hears",
    "Queue": "Names a queue",
    "Sms": "Sends a text message",
    "Message": "Sends a text message",
}
"""Verbs of Twilio's library that are known and left out."""
