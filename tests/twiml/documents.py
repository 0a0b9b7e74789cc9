"""Documents for tests: read, and written by Twilio's own library."""

from __future__ import annotations

from twilio.twiml import TwiML
from twilio.twiml.voice_response import VoiceResponse

from voice.twiml.document import Document, DocumentError, Step
from voice.twiml.parse import parse

URL = "http://127.0.0.1:5000/voice"


def read(written: str | bytes | TwiML, *, strict: bool = False, charset: str = "") -> Document:
    """The document, as the courier would read it."""
    body = written if isinstance(written, bytes) else str(written).encode()
    return parse(body, URL, strict=strict, charset=charset)


def refused(written: str | bytes | TwiML, *, strict: bool = False, charset: str = "") -> DocumentError:
    """The error that it ends with; AssertionError where it is taken."""
    try:
        taken = read(written, strict=strict, charset=charset)
    except DocumentError as error:
        return error
    raise AssertionError(f"taken as {taken}")


def only(written: str | bytes | TwiML) -> Step:
    """The only step of a document in which nothing is wrong."""
    document = read(written, strict=True)
    assert document.notices == ()
    (step,) = document.steps
    return step


def with_verb(verb: str, text: str = "", **attributes: object) -> VoiceResponse:
    """A document of one verb as Twilio's library writes it; names of attributes as they are in the document."""
    response = VoiceResponse()
    response.add_child(verb, text, **attributes)
    return response
