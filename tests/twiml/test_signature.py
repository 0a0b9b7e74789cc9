"""Every request is signed over the very bytes that go out; Twilio's own RequestValidator is the judge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, request
from twilio.request_validator import RequestValidator
from werkzeug.serving import make_server

from tests.net.receivers import Request, receiving, reply
from tests.twiml.servers import HANGUP, TOKEN, ask, client_of, document, errand_settings, is_signed, running
from voice.twiml.errand_runner import Runner
from voice.twiml.signature import twilio_signature
from voice.twiml.urls import target_of, with_query

TARGETS = [
    "",
    "/",
    "?",
    "?a=b",
    "/voice",
    "/voice?a=%20b",
    "/voice?a=b+c",
    "/voice?a=%26&b=%3D&c=%25",
    "/voice?a=b&a=c&a=b",
    "/voice?b=2&a=1",
    "/voice?empty=&bare",
    "/voice?name=Zoë&city=東京",
    "/voice?name=Zo%C3%AB",
    "/voice?mixed=%e4%b8%AD",
    "/Voice/%7Euser/%2F/x",
    "/voice?a=(b)*'!~|{}[]\"<>^`\\",
    "/voice?a=50%",
    "/voice#fragment",
    "/voice?a=b#c?d=e",
    "/a b/c",
    "//double//",
    "/a/../b/./c",
    "/voice?x=http://other/?y=z",
    "/voice;p=1?q=a;b",
    "/é/ü?ß=ö",
]
PARAMETERS = [
    ("From", "+4930 123"),
    ("CallerName", "Zoë & Söhne = 100 %"),
    ("SipHeader_X-Name", "東京"),
    ("Digits", "*1#"),
    ("Empty", ""),
    ("Twice", "b"),
    ("Twice", "a"),
    ("Twice", "b"),
    ("caller", "a\r\nb"),
]


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    names = {"example.test": "127.0.0.1", "127.0.0.1": "127.0.0.1", "xn--mnchen-3ya.test": "127.0.0.1"}
    with running(errand_settings(tmp_path), client=client_of(names)) as runner:
        yield runner


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("target", TARGETS)
def test_twilios_validator_accepts_what_came_in(runner: Runner, method: str, target: str) -> None:
    with receiving(document()) as receiver:
        runner.document(ask(receiver.url(target), method, *PARAMETERS))
    [came] = receiver.requests
    assert is_signed(came)
    assert came.method == method
    assert came.target.isascii()
    assert not is_signed(came, url=f"http://{came.headers['host']}/other")


@pytest.mark.parametrize(
    "host", ["example.test", "EXAMPLE.Test", "münchen.test", "user:pa%20ss@Example.test", "u@example.test"]
)
def test_hosts(runner: Runner, host: str) -> None:
    with receiving(document()) as receiver:
        runner.document(ask(receiver.url("/voice?a=b", host=host)))
    [came] = receiver.requests
    assert is_signed(came)
    assert "@" not in came.headers["host"]


def test_capitals_are_signed_as_they_were_written(runner: Runner) -> None:
    with receiving(document()) as receiver:
        url = receiver.url("/Voice", host="Example.TEST")
        runner.document(ask(url))
    assert is_signed(receiver.requests[0], url=url)
    assert receiver.requests[0].headers["host"] == f"Example.TEST:{receiver.port}"


@pytest.mark.parametrize(
    ("url", "wire"),
    [
        ("http://example.test:80/a", "http://example.test/a"),
        ("https://Example.test:443", "https://Example.test/"),
        ("https://example.test:8443?a=b", "https://example.test:8443/?a=b"),
        ("HTTPS://example.test/a", "https://example.test/a"),
        ("https://u:p@example.test/a#b", "https://example.test/a"),
        ("https://example.test/a?", "https://example.test/a"),
        ("https://example.test/a?q=b?", "https://example.test/a?q=b?"),
        ("https://[2001:DB8::1]:81/a", "https://[2001:DB8::1]:81/a"),
    ],
)
def test_what_is_requested_and_signed(url: str, wire: str) -> None:
    assert target_of(url).url == wire
    # Servers and validators see the port, or see it not.
    validator, signature = RequestValidator(TOKEN), twilio_signature(TOKEN, wire)
    assert validator.validate(wire, {}, signature)


def test_a_https_server_that_sees_its_port(runner: Runner) -> None:
    signature = twilio_signature(TOKEN, target_of("https://example.test/voice?a=b").url, [("To", "1")])
    assert RequestValidator(TOKEN).validate("https://example.test:443/voice?a=b", {"To": "1"}, signature)


def test_parameters_join_the_query_of_a_get(runner: Runner) -> None:
    with receiving(document()) as receiver:
        runner.document(
            ask(receiver.url("/voice?a=%20"), "GET", ("To", "+1 2"), ("Name", "a&b=ü"), ("Sip", "sip:1@host"))
        )
    [came] = receiver.requests
    assert came.target == "/voice?a=%20&To=%2B1+2&Name=a%26b%3D%C3%BC&Sip=sip:1@host"
    assert came.body == b""
    assert is_signed(came)


def test_a_post_has_a_form(runner: Runner) -> None:
    with receiving(document()) as receiver:
        runner.document(ask(receiver.url("/voice"), "POST", ("To", "+1 2"), ("Name", "a&b=ü")))
    [came] = receiver.requests
    assert came.body == b"To=%2B1+2&Name=a%26b%3D%C3%BC"
    assert came.headers["content-type"].startswith("application/x-www-form-urlencoded")


def test_every_hop_of_a_redirect_is_signed_for_itself(runner: Runner) -> None:
    with receiving(reply(307, Location="/next?x=%20y"), reply(302, Location="last"), document()) as receiver:
        runner.document(ask(receiver.url("/first"), "POST", *PARAMETERS))
    assert [came.method for came in receiver.requests] == ["POST", "POST", "GET"]
    assert [is_signed(came) for came in receiver.requests] == [True, True, True]


def test_sounds_and_callbacks_are_signed_too(runner: Runner) -> None:
    with receiving(reply(204)) as receiver:
        done = threading.Event()
        runner.callback(ask(receiver.url("/status?a=b c")), lambda _: done.set())
        assert done.wait(10)
        with pytest.raises(Exception, match="no sound"):
            runner.sound(receiver.url("/a%20b.wav"))
    assert [is_signed(came) for came in receiver.requests] == [True, True]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_other_header_cannot_be_replayed_late_or_elsewhere(runner: Runner, method: str) -> None:
    with receiving(document()) as receiver:
        before = int(time.time())
        runner.document(ask(receiver.url("/voice?a=%20"), method))
    [came] = receiver.requests
    parts = dict(part.split("=", 1) for part in came.headers["x-voicemail-signature"].split(","))
    assert before <= int(parts["t"]) <= int(time.time())

    def expected(url: str, body: bytes) -> str:
        return hmac.new(TOKEN.encode(), f"{parts['t']}.{url}\n".encode() + body, hashlib.sha256).hexdigest()

    assert parts["v1"] == expected(f"http://{came.headers['host']}{came.target}", came.body)
    assert parts["v1"] != expected(f"http://{came.headers['host']}{came.target}", came.body + b"&Digits=1")


def test_the_rule_by_hand() -> None:
    """The URL, then names and values sorted and without anything between: https://www.twilio.com/docs/usage/security"""
    told = "https://example.com/voice?x=1" + "CallSid" + "CA1" + "To" + "+1"
    digest = base64.b64encode(hmac.new(TOKEN.encode(), told.encode(), hashlib.sha1).digest()).decode()
    assert twilio_signature(TOKEN, "https://example.com/voice?x=1", [("To", "+1"), ("CallSid", "CA1")]) == digest


@pytest.mark.parametrize(
    ("url", "joined"),
    [
        ("http://h/a", "http://h/a?b=c"),
        ("http://h/a?", "http://h/a?b=c"),
        ("http://h/a?x=%20", "http://h/a?x=%20&b=c"),
        ("http://h/a?x&", "http://h/a?x&b=c"),
        ("http://h/a?x#f", "http://h/a?x&b=c#f"),
    ],
)
def test_what_stands_in_a_query_is_not_touched(url: str, joined: str) -> None:
    assert with_query(url, [("b", "c")]) == joined
    assert with_query(url, []) == url


class FlaskServer:
    """A program as Twilio's documentation writes it: Flask, and request.url for the validator."""

    def __init__(self) -> None:
        app = Flask(__name__)
        self.verdicts: list[bool] = []
        app.add_url_rule("/voice", view_func=self._voice, methods=["GET", "POST"])
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _voice(self) -> Response:
        validator = RequestValidator(TOKEN)
        given = request.headers["X-Twilio-Signature"]
        # Flask has the body only as long as nobody has asked for its form.
        self.verdicts.append(self._is_fresh() and validator.validate(request.url, request.form, given))
        return Response(HANGUP, content_type="text/xml")

    def _is_fresh(self) -> bool:
        """As docs/twiml.md shows it."""
        parts = dict(part.split("=", 1) for part in request.headers["X-Voicemail-Signature"].split(","))
        told = f"{parts['t']}.{request.url}\n".encode() + request.get_data()
        expected = hmac.new(TOKEN.encode(), told, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_flask_sees_the_url_that_was_signed(runner: Runner, method: str) -> None:
    program = FlaskServer()
    url = f"http://127.0.0.1:{program.server.port}/voice?greeting=a%20b+c&who=%26%3D"
    told = [pair for pair in PARAMETERS if method == "POST" or pair[1].isascii()]
    try:
        runner.document(ask(url, method, *told, ("Contact", "sip:1@host:5060;transport=udp"), ("Odd", "~!*'(),;:@/?$")))
    finally:
        program.server.shutdown()
        program.server.server_close()
    assert program.verdicts == [True]


def test_nothing_odd_in_the_request(runner: Runner) -> None:
    with receiving(document()) as receiver:
        runner.document(ask(receiver.url()))
    came: Request = receiver.requests[0]
    assert came.headers["user-agent"].startswith("Voicemail-Pro/")
    assert len(came.names) == len({name.lower() for name in came.names})
    assert "authorization" not in came.headers
    assert "cookie" not in came.headers
