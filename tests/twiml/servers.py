"""What tests of errands need: settings that allow this host, runners, and servers of documents and sounds."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import soundfile
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app import net
from app.config import Settings
from tests.net.receivers import Act, Request, reply
from tests.support import make_settings
from voice.twiml.errand_runner import Runner, Speaker
from voice.twiml.errands import Ask
from voice.twiml.requests import DOCUMENT_BYTES, LONGEST_URL, Requests

TOKEN = "0123456789abcdef0123456789abcdef"
SID = "AC" + "ab" * 16
CALL = "CA" + "12" * 16
LOOPBACK = "127.0.0.0/8,::1/128"
HANGUP = b"<Response><Hangup/></Response>"


def errand_settings(instance: Path, **environment: str) -> Settings:
    """Settings of an instance whose programs may be on this host."""
    given = {
        "VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS": LOOPBACK,
        "VOICEMAIL__PROGRAMMABLE__AUTH_TOKEN": TOKEN,
        "VOICEMAIL__PROGRAMMABLE__ACCOUNT_SID": SID,
    }
    return make_settings(instance, **{**given, **environment})


@contextmanager
def running(settings: Settings, speaker: Speaker | None = None, client: net.Client | None = None) -> Iterator[Runner]:
    """A runner that is closed at the end."""
    runner = Runner(settings, speaker, Requests(settings, client))
    try:
        yield runner
    finally:
        runner.close()


def client_of(names: dict[str, str], allowed: str = LOOPBACK) -> net.Client:
    """A client for which these names lead to these addresses."""
    limits = net.Limits(body_bytes=DOCUMENT_BYTES, url_characters=LONGEST_URL)
    return net.Client(allowed=allowed.split(","), limits=limits, resolve=lambda host, port: [names[host]])


def ask(url: str, method: str = "POST", *parameters: tuple[str, str], call: str = CALL) -> Ask:
    return Ask(call, url, method, parameters or (("CallSid", call), ("From", "+4930123"), ("To", "5551234")))


def document(body: bytes = HANGUP, **headers: str) -> Act:
    """A server's answer that is a document."""
    return reply(200, body, **{"Content_Type": "text/xml", **headers})


def is_signed(request: Request, scheme: str = "http", url: str = "") -> bool:
    """What Twilio's own validator says of a request that came in, by the URL as a server puts it together."""
    url = url or f"{scheme}://{request.headers['host']}{request.target}"
    form = MultiDict(parse_qsl(request.body.decode(), keep_blank_values=True)) if request.method == "POST" else {}
    return RequestValidator(TOKEN).validate(url, form, request.headers["x-twilio-signature"])


def tone(
    kind: str = "WAV", subtype: str = "PCM_16", *, rate: int = 8000, seconds: float = 1.0, level: float = 0.3
) -> bytes:
    """A file with 440 Hz."""
    at = np.arange(int(rate * seconds)) / rate
    file = io.BytesIO()
    soundfile.write(file, (np.sin(2 * np.pi * 440 * at) * level).astype(np.float32), rate, subtype, format=kind)
    return file.getvalue()
