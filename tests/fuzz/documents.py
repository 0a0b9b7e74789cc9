"""TwiML for the fuzzer: good documents, what means something in them, and what must hold of any answer."""

from __future__ import annotations

import json

from twilio.twiml.voice_response import Gather, VoiceResponse

from voice.twiml.codes import ERRORS, NOTICES
from voice.twiml.document import Document, DocumentError
from voice.twiml.parse import MOST_NOTICES, parse
from voice.twiml.plain import from_plain, to_plain
from voice.twiml.table import MOST_WORDS, NAMESPACE, NOT_YET, VERBS

MIXED = (
    b'<Response xmlns:v="urn:voicemail-pro:1">\n<v:Mailbox/> text <Dial>1</Dial>'
    b'<Say>a<break/><sub alias="b">c</sub></Say><!-- c --><Play><![CDATA[http://h/?a&b]]></Play><?p i?></Response>'
)
LAUGHS = b'<!DOCTYPE r [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]><Response><Say>&b;</Say></Response>'


def _menu() -> bytes:
    response = VoiceResponse()
    gather = Gather(action="/key", num_digits=1, timeout=3)
    gather.say("Press 1 & wait", language="en-GB")
    gather.play("/a.wav", loop=0)
    response.append(gather)
    response.record(max_length=30, recording_status_callback_event="in-progress completed", trim="do-not-trim")
    response.add_child("Voicemail", xmlns=NAMESPACE, mailbox="1001", reason="busy")
    response.redirect("/again?a=1&b=ü", method="GET")
    return str(response).encode()


DOCUMENTS = (
    _menu(),
    _menu().decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>é</Say><Pause length="2"/></Response>'.encode("latin-1"),
    MIXED,
    b'{"actions": ["say"]}',
    b"<!DOCTYPE html><html><body>no</body></html>",
    LAUGHS,
)
TAGS = (
    b"<", b"</", b"/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?xml ", b"?>", b"&amp;", b"&#0;", b"&#x10FFFF;",
    b"&x;", b"<!DOCTYPE x [", b'<!ENTITY % x "y">', b"<!ATTLIST Response x CDATA 'y'>", b' encoding="utf-16"',
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b'xmlns="urn:voicemail-pro:1" ', b'xmlns:v="x" ', b"<v:Say>",
    b"<a>" * 40,
    *(f"<{name}/>".encode() for name in (*VERBS, *NOT_YET)),
    *(f' {row.name}="'.encode() for verb in VERBS.values() for row in verb.attributes),
)  # fmt: skip


def read_document(data: bytes) -> None:
    """Either its own error with a number of the list, or a document that survives its way through a socket."""
    _read(data, strict=False, charset="latin-1")
    lenient = _read(data, strict=False)
    strict = _read(data, strict=True)
    if lenient is None or lenient.notices:
        assert strict is None, "strict takes nothing that is noticed"
    else:
        assert strict == lenient


def _read(data: bytes, *, strict: bool, charset: str = "") -> Document | None:
    try:
        document = parse(data, "http://h/", strict=strict, charset=charset)
    except DocumentError as error:
        _check(error, strict)
        return None
    assert from_plain(json.loads(json.dumps(to_plain(document)))) == document
    assert len(document.notices) <= MOST_NOTICES + 1
    for step in document.steps:
        assert len(step.text) <= MOST_WORDS or step.name != "Say"
        for child in step.children:
            assert child.name in VERBS[step.name].children
    return document


def _check(error: DocumentError, strict: bool) -> None:
    assert error.code in ERRORS or (strict and error.code in NOTICES)
    assert str(error).endswith((".", "?", ";"))
