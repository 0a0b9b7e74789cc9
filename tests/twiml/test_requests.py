"""Documents are fetched as Twilio fetches them, from servers that behave well, badly and with ill intent."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import trustme

from app import net
from tests.net.receivers import Act, Request, drip, drip_body, flood, hang, receiving, reply, reset, say
from tests.support import free_port, until
from tests.twiml.servers import (
    CALL,
    HANGUP,
    LOOPBACK,
    ask,
    client_of,
    document,
    errand_settings,
    is_signed,
    running,
    tone,
)
from voice.twiml import callbacks, codes
from voice.twiml.cookies import Jar
from voice.twiml.errand_runner import Runner
from voice.twiml.errands import ErrandFailed, Exchange
from voice.twiml.requests import Requests
from voice.twiml.urls import shown

QUICK = "0.5"
ENTITIES = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10))
BOMB = f'<!DOCTYPE r [<!ENTITY l0 "lol">{ENTITIES}]><Response><Say>&l9;</Say></Response>'.encode()


@contextmanager
def keeping(answer: bytes) -> Iterator[tuple[str, list[int]]]:
    """A server that keeps its connections: its URL, and how many requests came on each."""
    counts: list[int] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            counts.append(0)
            mine = len(counts) - 1
            while self.request.recv(65536):
                counts[mine] += 1
                self.request.sendall(answer)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/voice", counts
        server.shutdown()


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    with running(errand_settings(tmp_path)) as runner:
        yield runner


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Runner]:
    """One whose servers have half a second."""
    with running(errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__TIMEOUT=QUICK)) as runner:
        yield runner


def failure(runner: Runner, url: str, method: str = "POST") -> ErrandFailed:
    with pytest.raises(ErrandFailed) as failed:
        runner.document(ask(url, method))
    assert "Traceback" not in str(failed.value)
    assert str(failed.value)[-1] in ".?"
    return failed.value


def form_of(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode(), keep_blank_values=True)


class TestGoodAnswers:
    """Documents as they should be."""

    @pytest.mark.parametrize("kind", ["text/xml", "application/xml", "text/html; charset=utf-8", "Text/XML", ""])
    def test_the_types_that_twilio_takes(self, runner: Runner, kind: str) -> None:
        """https://www.twilio.com/docs/voice/twiml: text/xml, application/xml, text/html are TwiML."""
        with receiving(document(Content_Type=kind) if kind else reply(200, HANGUP)) as receiver:
            fetched = runner.document(ask(receiver.url("/voice")))
        assert [step.name for step in fetched.document.steps] == ["Hangup"]
        assert fetched.document.url == receiver.url("/voice")

    def test_the_encoding_that_http_tells(self, runner: Runner) -> None:
        body = "<Response><Say>Zoë</Say></Response>".encode("latin-1")
        with receiving(document(body, Content_Type="text/xml; charset=ISO-8859-1")) as receiver:
            assert runner.document(ask(receiver.url())).document.steps[0].text == "Zoë"

    @pytest.mark.parametrize("text", ["Hello <World> & all", "你好", "a\x07b", "x" * 5000])
    def test_a_plain_text_is_read_aloud(self, runner: Runner, text: str) -> None:
        """text/plain: "reads the content of the text out loud to the caller, and then hangs up"."""
        with receiving(document(text.encode(), Content_Type="text/plain; charset=utf-8")) as receiver:
            [said] = runner.document(ask(receiver.url())).document.steps
        assert said.name == "Say"
        assert said.text == text.replace("\x07", " ")[:4096]

    def test_a_sound_is_played(self, runner: Runner) -> None:
        """Audio types: "plays the audio file to the caller, and then hangs up"; however long it is."""
        with receiving(reply(200, tone(seconds=10), Content_Type="audio/wav")) as receiver:
            fetched = runner.document(ask(receiver.url("/a.wav?x=1&y=2"), "GET", ("a", "b")))
        [played] = fetched.document.steps
        assert (played.name, played.text) == ("Play", receiver.url("/a.wav?x=1&y=2&a=b"))
        assert fetched.exchanges[0].body == ""

    def test_what_was_exchanged_is_told(self, runner: Runner) -> None:
        with receiving(document()) as receiver:
            fetched = runner.document(
                ask(receiver.url("/voice"), "POST", ("CallSid", CALL), ("Twice", "1"), ("Twice", "2"))
            )
        [exchange] = fetched.exchanges
        assert (exchange.method, exchange.url, exchange.status) == ("POST", receiver.url("/voice"), 200)
        assert exchange.parameters == (("CallSid", CALL), ("Twice", "1"), ("Twice", "2"))
        assert (exchange.content_type, exchange.body, exchange.error) == ("text/xml", HANGUP.decode(), "")
        assert exchange.at.endswith("+00:00")
        assert 0 < exchange.seconds < 60

    def test_notices_come_along(self, runner: Runner) -> None:
        with receiving(document(b"<Response><Sey>x</Sey></Response>")) as receiver:
            [notice] = runner.document(ask(receiver.url())).document.notices
        assert (notice.line, notice.column) == (1, 11)
        assert "Did you mean Say?" in notice.text

    def test_a_strict_instance_takes_no_such_document(self, tmp_path: Path) -> None:
        settings = errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__STRICT="true")
        with running(settings) as runner, receiving(document(b"<Response><Sey>x</Sey></Response>")) as receiver:
            assert failure(runner, receiver.url()).code == codes.SCHEMA

    def test_connections_are_kept(self, runner: Runner) -> None:
        body = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(HANGUP), HANGUP)
        with keeping(body) as (url, counts):
            for _ in range(3):
                runner.document(ask(url, "GET"))
            assert counts == [3]


class TestCookies:
    """https://www.twilio.com/docs/voice/twiml: "accepts HTTP cookies and will include them in each request"."""

    def test_they_live_as_long_as_the_call(self, runner: Runner) -> None:
        with receiving(document(Set_Cookie="session=abc; Path=/")) as receiver:
            runner.document(ask(receiver.url("/one")))
            runner.document(ask(receiver.url("/two")))
            runner.document(ask(receiver.url("/other"), call="CA" + "9" * 32))
            runner.over(CALL)
            runner.document(ask(receiver.url("/three")))
        sent = [came.headers.get("cookie") for came in receiver.requests]
        assert sent == [None, "session=abc", None, None]

    @pytest.mark.parametrize(
        ("cookie", "path", "sent"),
        [
            ("a=b; Path=/one", "/one/more", True),
            ("a=b; Path=/one", "/two", False),
            ("a=b; Secure", "/one", False),
            ("a=b; Domain=other.test", "/one", False),
            ("a=b; Max-Age=0", "/one", False),
            ("a=b; Max-Age=100; HttpOnly; SameSite=Strict", "/one", True),
            (f"a={'b' * 5000}", "/one", False),
        ],
    )
    def test_the_rules_of_browsers(self, runner: Runner, cookie: str, path: str, sent: bool) -> None:
        with receiving(document(Set_Cookie=cookie)) as receiver:
            runner.document(ask(receiver.url("/one")))
            runner.document(ask(receiver.url(path)))
        assert ("cookie" in receiver.requests[1].headers) is sent

    def test_one_can_be_taken_back(self, runner: Runner) -> None:
        with receiving(document(Set_Cookie="a=b"), document(Set_Cookie="a=; Max-Age=0"), document()) as receiver:
            for _ in range(3):
                runner.document(ask(receiver.url("/one")))
        assert [came.headers.get("cookie") for came in receiver.requests] == [None, "a=b", None]

    def test_another_host_does_not_get_them(self, tmp_path: Path) -> None:
        client = client_of({"one.test": "127.0.0.1", "two.test": "127.0.0.1"})
        with running(errand_settings(tmp_path), client=client) as runner:
            with receiving(document(Set_Cookie="a=b")) as receiver:
                for host in ("one.test", "two.test", "one.test"):
                    runner.document(ask(receiver.url("/one", host)))
        assert [came.headers.get("cookie") for came in receiver.requests] == [None, None, "a=b"]

    def test_redirects_set_and_get_them(self, runner: Runner) -> None:
        with receiving(reply(302, Location="/two", Set_Cookie="a=b"), document()) as receiver:
            runner.document(ask(receiver.url("/one")))
        assert receiver.requests[1].headers["cookie"] == "a=b"

    def test_callbacks_use_them_beside_the_call(self) -> None:
        jar, failures, interval = Jar(), list[BaseException](), sys.getswitchinterval()

        def work(of: int) -> None:
            try:
                for number in range(300):
                    jar.take("http://h.test/", httpx.Headers([("Set-Cookie", f"c{of}-{number % 60}=v")]))
                    jar.header("http://h.test/")
            except Exception as error:
                failures.append(error)
                raise

        sys.setswitchinterval(1e-5)
        try:
            threads = [threading.Thread(target=work, args=(of,)) for of in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert not failures

    def test_thousands_are_too_many(self, runner: Runner) -> None:
        lines = b"".join(b"Set-Cookie: c%d=1\r\n" % number for number in range(500))
        many = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n%sContent-Length: %d\r\n\r\n%s"
        with receiving(say(many % (lines, len(HANGUP), HANGUP)), document()) as receiver:
            runner.document(ask(receiver.url("/one")))
            runner.document(ask(receiver.url("/two")))
        assert receiver.requests[1].headers["cookie"].count("=") == 50


class TestRedirects:
    """https://www.twilio.com/docs/voice/twiml: "follows HTTP Redirects (HTTP status codes 301, 307, etc.)"."""

    @pytest.mark.parametrize(
        ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
    )
    def test_the_method_of_the_next_request(self, runner: Runner, status: int, method: str) -> None:
        """As browsers do (RFC 9110 section 15.4). The call's parameters come along either way."""
        with receiving(reply(status, Location="/next"), document()) as receiver:
            fetched = runner.document(ask(receiver.url("/voice"), "POST", ("CallSid", CALL), ("To", "1 2")))
        second = receiver.requests[1]
        query = parse_qsl(urlsplit(second.target).query)
        assert second.method == method
        assert (form_of(second) if method == "POST" else query) == [("CallSid", CALL), ("To", "1 2")]
        assert urlsplit(fetched.document.url).path == "/next"
        assert [exchange.status for exchange in fetched.exchanges] == [status, 200]

    def test_parameters_that_the_server_passes_on_do_not_come_twice(self, runner: Runner) -> None:
        with receiving(reply(301, Location=f"/voice/?CallSid={CALL}&To="), document()) as receiver:
            runner.document(ask(receiver.url("/voice"), "GET", ("CallSid", CALL), ("To", "1"), ("From", "2")))
        assert receiver.requests[1].target == f"/voice/?CallSid={CALL}&To=&From=2"

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_parameters_that_the_server_passes_on_are_not_the_documents_own(self, runner: Runner, method: str) -> None:
        """As Flask redirects /menu to /menu/, or a proxy http to https: the query comes along as it was sent."""
        told = f"CallSid={CALL}&To=1+2&Digits=1&Empty="
        with receiving(reply(308, Location=f"/menu/?{told}"), document()) as receiver:
            wish = ("CallSid", CALL), ("To", "1 2"), ("Digits", "1"), ("Empty", "")
            fetched = runner.document(ask(receiver.url("/menu"), method, *wish))
        assert receiver.requests[1].target == f"/menu/?{told}"
        assert fetched.document.url == receiver.url("/menu/")

    @pytest.mark.parametrize(
        ("asked", "location", "own"),
        [
            # What the redirect names itself, to the byte: other names, and other values of ours.
            ("/menu", "/menu/?a=b%20c&Digits=1&&d&From=x", "/menu/?a=b%20c&&d&From=x"),
            # What was in the URL before anything was added to it, as often as it was.
            ("/menu?Digits=1", "/menu/?Digits=1", "/menu/?Digits=1"),
            ("/menu?Digits=1", "/menu/?Digits=1&Digits=1", "/menu/?Digits=1"),
            ("/menu?To=%C3%BC", "/menu/?To=%c3%bc&To=%2B1", "/menu/?To=%c3%bc"),
            # The same in another encoding.
            ("/menu", "/menu/?a=1&To=%2b1&%44igits=%31", "/menu/?a=1"),
            ("/menu", "/menu/", "/menu/"),
        ],
    )
    def test_what_is_the_targets_own_stays(self, runner: Runner, asked: str, location: str, own: str) -> None:
        with receiving(reply(308, Location=location), document()) as receiver:
            wish = ("To", "+1"), ("Digits", "1"), ("From", "2")
            fetched = runner.document(ask(receiver.url(asked), "GET", *wish))
        assert fetched.document.url == receiver.url(own)

    def test_what_is_passed_on_from_redirect_to_redirect_is_not_the_documents_own(self, runner: Runner) -> None:
        """The first goes without the query, and gets it from us; the second passes it on."""
        with receiving(reply(302, Location="/a"), reply(308, Location="/a/?Digits=1&x=1"), document()) as receiver:
            fetched = runner.document(ask(receiver.url("/voice"), "POST", ("Digits", "1"), ("From", "2")))
        assert receiver.requests[2].target == "/a/?Digits=1&x=1&From=2"
        assert fetched.document.url == receiver.url("/a/?x=1")

    def test_relative_ones(self, runner: Runner) -> None:
        with receiving(reply(307, Location="../b?x=1#part"), document()) as receiver:
            fetched = runner.document(ask(receiver.url("/a/c")))
        assert receiver.requests[1].target == "/b?x=1"
        assert fetched.document.url == receiver.url("/b?x=1")

    def test_ten_are_followed(self, runner: Runner) -> None:
        with receiving(*[reply(307, Location="/again")] * 10, document()) as receiver:
            assert len(runner.document(ask(receiver.url())).exchanges) == 11

    def test_a_loop_ends_and_is_told(self, runner: Runner) -> None:
        with receiving(reply(302, Location="/again")) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == codes.TOO_MANY_REDIRECTS
        assert str(error) == "There were more than 10 redirects in a row."
        assert len(error.exchanges) == len(receiver.requests) == 11

    @pytest.mark.parametrize(
        "private",
        ["http://10.1.2.3/", "http://169.254.169.254/latest/meta-data", "http://[fd00::1]/", "http://192.168.0.1"],
    )
    @pytest.mark.parametrize("status", [301, 307])
    def test_to_a_private_address_none_is_followed(self, runner: Runner, private: str, status: int) -> None:
        with receiving(reply(status, Location=private)) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == codes.BAD_HOST
        assert str(error).startswith("After a redirect: ")
        assert "no public address" in str(error)
        assert [exchange.status for exchange in error.exchanges] == [status, 0]
        assert error.exchanges[1].error == str(error)

    @pytest.mark.parametrize(
        "location", ["", "ftp://example.com/", "http://", "file:///etc/passwd", "http://[::1", "x:"]
    )
    def test_to_something_that_is_no_place(self, runner: Runner, location: str) -> None:
        with receiving(reply(302, Location=location)) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == codes.INVALID_REDIRECT
        assert "redirects" in str(error)

    def test_there_is_one_deadline_for_all(self, quick: Runner) -> None:
        with receiving(reply(307, Location="/again"), hang) as receiver:
            error = failure(quick, receiver.url())
        assert error.code == codes.HTTP_TIMEOUT
        assert "within 0.5 s" in str(error)

    def test_user_and_password_stay_with_their_server(self, tmp_path: Path) -> None:
        client = client_of({"one.test": "127.0.0.1", "two.test": "127.0.0.1"})
        with running(errand_settings(tmp_path), client=client) as runner, receiving(document()) as receiver:
            elsewhere = receiver.url("/b", "two.test")
            receiver.play(reply(307, Location="/a"), reply(307, Location=elsewhere), document())
            fetched = runner.document(ask(receiver.url("/voice", "anna:s3cret@one.test")))
        given = [came.headers.get("authorization") for came in receiver.requests]
        assert given[0] == given[1] == f"Basic {base64.b64encode(b'anna:s3cret').decode()}"
        assert given[2] is None
        assert fetched.document.url == elsewhere
        assert "s3cret" not in repr(fetched.exchanges)


class TestPasswords:
    """https://www.twilio.com/docs/usage/security: https://username:password@www.myserver.com/my_secure_document"""

    def test_basic(self, runner: Runner) -> None:
        with receiving(document()) as receiver:
            fetched = runner.document(ask(receiver.url("/voice?a=b", "an%40na:s3cr%3At@127.0.0.1")))
        [came] = receiver.requests
        assert came.headers["authorization"] == f"Basic {base64.b64encode(b'an@na:s3cr:t').decode()}"
        assert is_signed(came)
        # What is relative in the document gets them too.
        assert fetched.document.url == receiver.url("/voice?a=b", "an%40na:s3cr%3At@127.0.0.1")
        assert fetched.exchanges[0].url == receiver.url("/voice?a=b")

    @pytest.mark.parametrize(
        "url", ["http://anna:s3cret@127.0.0.1:1/x", "http://anna:s3cret@10.0.0.1/", "http://a:s3cret@"]
    )
    def test_they_are_in_no_error(self, runner: Runner, url: str, caplog: pytest.LogCaptureFixture) -> None:
        error = failure(runner, url)
        assert "s3cret" not in f"{error} {error.url} {error.exchanges}{caplog.text}"

    @pytest.mark.parametrize(
        ("url", "told"),
        [
            ("https://u:p@host/a", "https://***@host/a"),
            ("https://u:p@host/a?x=1&api_key=abc&y=2#f", "https://***@host/a?x=1&api_key=***&y=2#f"),
            ("https://host/a@b?c=d@e", "https://host/a@b?c=d@e"),
            ("https://host/?Token=abc", "https://host/?Token=***"),
            ("http://u:p/w@host/", "http://***@host/"),
            ("no url", "no url"),
        ],
    )
    def test_how_urls_are_shown(self, url: str, told: str) -> None:
        assert shown(url) == told


class TestBadAnswers:
    """The developer sees why; see docs/twiml.md for the numbers."""

    @pytest.mark.parametrize("status", [400, 401, 404, 405, 500, 502, 503, 204 + 200])
    def test_a_status_that_is_no_2xx(self, runner: Runner, status: int) -> None:
        with receiving(reply(status, b"<h1>No</h1>", Content_Type="text/html")) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == codes.HTTP_STATUS
        assert str(error).startswith(f"127.0.0.1:{receiver.port} answered {status} ")
        assert ("It was asked by POST." in str(error)) is (status == 405)
        assert error.exchanges[0].body == "<h1>No</h1>"

    @pytest.mark.parametrize("status", [200, 204])
    def test_nothing(self, runner: Runner, status: int) -> None:
        with receiving(reply(status)) as receiver:
            assert failure(runner, receiver.url()).code == codes.EMPTY_BODY

    def test_json(self, runner: Runner) -> None:
        with receiving(reply(200, json.dumps({"say": "hi"}).encode(), Content_Type="application/json")) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == codes.CONTENT_TYPE
        assert "application/json" in str(error)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b'{"say": "hi"}', codes.NOT_XML),
            (b"<!doctype html><html><body>It works!<br></body></html>", codes.NOT_XML),
            (b"<html><body>It works!</body></html>", codes.NOT_RESPONSE),
            (b"<Response><Say>", codes.NOT_XML),
            (BOMB, codes.NOT_XML),
            (b'<!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd"><Response/>', codes.NOT_XML),
            (b"<a>" * 10000, codes.NOT_XML),
            (b"\xff\xfe\x00", codes.NOT_XML),
            (bytes(range(256)) * 100, codes.NOT_XML),
        ],
        ids=["json", "page", "html", "cut", "bomb", "dtd", "deep", "mark", "bytes"],
    )
    def test_what_is_no_document(self, runner: Runner, body: bytes, code: int) -> None:
        with receiving(document(body, Content_Type="text/html")) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == code
        assert "\0" not in error.exchanges[0].body

    def test_xml_that_is_called_text_is_not_read_aloud(self, runner: Runner) -> None:
        with receiving(document(Content_Type="text/plain")) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == codes.CONTENT_TYPE
        assert "text/xml" in str(error)

    def test_64_kilobytes_are_taken_and_no_more(self, runner: Runner) -> None:
        frame = b"<Response><!--%s--></Response>"
        with receiving(document(frame % (b"x" * (65536 - len(frame) + 2)))) as receiver:
            assert runner.document(ask(receiver.url())).document.steps == ()
            receiver.play(document(frame % (b"x" * (65536 - len(frame) + 3))))
            error = failure(runner, receiver.url())
        assert error.code == codes.TOO_LARGE
        assert "65,536 bytes" in str(error)

    def test_a_hundred_megabytes(self, runner: Runner) -> None:
        sent = []

        def huge(receiver: object, connection: object) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 100000000\r\n\r\n")  # type: ignore[attr-defined]
            for _ in range(1600):
                connection.sendall(b"x" * 65536)  # type: ignore[attr-defined]
                sent.append(65536)

        with receiving(huge) as receiver:
            assert failure(runner, receiver.url()).code == codes.TOO_LARGE
        assert sum(sent) < 20_000_000

    @pytest.mark.parametrize("act", [flood])
    def test_a_body_without_end(self, runner: Runner, act: Act) -> None:
        with receiving(act) as receiver:
            assert failure(runner, receiver.url()).code == codes.TOO_LARGE

    @pytest.mark.parametrize("act", [hang, drip, drip_body], ids=["hang", "head", "body"])
    def test_who_is_slow(self, quick: Runner, act: Act) -> None:
        with receiving(act) as receiver:
            error = failure(quick, receiver.url())
        assert error.code == codes.HTTP_TIMEOUT
        assert str(error) == f"127.0.0.1:{receiver.port} gave no whole answer within 0.5 s."

    @pytest.mark.parametrize(
        "act", [reset, say(b""), say(b"SSH-2.0-x\r\n"), say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")]
    )
    def test_who_breaks_off(self, runner: Runner, act: Act) -> None:
        with receiving(act) as receiver:
            assert failure(runner, receiver.url()).code in (codes.HTTP_PROTOCOL, codes.HTTP_CONNECTION)

    def test_nobody_is_there(self, runner: Runner) -> None:
        error = failure(runner, f"http://127.0.0.1:{free_port()}/voice")
        assert error.code == codes.HTTP_CONNECTION
        assert "connection refused" in str(error)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "voice",
            "/voice",
            "5551234",
            "ftp://host/",
            "http://",
            "http://:80/",
            "https://[::1",
            "x" * 20000,
            "http://h\0st/",
        ],
    )
    def test_a_url_that_is_none(self, runner: Runner, url: str) -> None:
        error = failure(runner, url)
        assert error.code == codes.INVALID_URL
        assert error.exchanges == ()

    @pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[fe80::1]", "192.168.1.1", "0x0a000001"])
    def test_a_private_address(self, runner: Runner, host: str) -> None:
        error = failure(runner, f"http://{host}/voice")
        assert error.code == codes.BAD_HOST
        assert "networks can be allowed" in str(error)

    def test_this_host_where_it_is_not_allowed(self, tmp_path: Path) -> None:
        settings = errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="10.0.0.0/8")
        with running(settings) as runner, receiving(document()) as receiver:
            assert failure(runner, receiver.url()).code == codes.BAD_HOST
        assert receiver.connections == 0

    def test_a_name_that_is_not_known(self, tmp_path: Path) -> None:
        def nothing(host: str, port: int) -> list[str]:
            raise socket.gaierror(-2, "Name or service not known")

        client = net.Client(allowed=LOOPBACK.split(","), resolve=nothing)
        with running(errand_settings(tmp_path), client=client) as runner:
            error = failure(runner, "http://nobody.test/voice")
        assert error.code == codes.BAD_HOST
        assert str(error) == "nobody.test:80: the name is not known."

    def test_a_certificate_that_nobody_trusts(self, runner: Runner) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        with receiving(document(), tls=context) as receiver:
            error = failure(runner, receiver.url())
        assert error.code == codes.TLS
        assert "certificate is not valid" in str(error)

    def test_no_tls_at_all(self, runner: Runner) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def answer() -> None:
                with server.accept()[0] as connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.recv(1)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            error = failure(runner, f"https://127.0.0.1:{server.getsockname()[1]}/")
            thread.join(10)
        assert error.code == codes.TLS

    def test_a_token_that_cannot_be_read(self, tmp_path: Path) -> None:
        settings = errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__AUTH_TOKEN="")
        settings.auth_token_file.parent.mkdir(parents=True, exist_ok=True)
        settings.auth_token_file.mkdir()
        with running(settings) as runner:
            error = failure(runner, "http://127.0.0.1/")
        assert error.code == codes.INTERNAL


class TestCallbacks:
    """Sent a few times if need be; nobody waits."""

    @pytest.fixture(autouse=True)
    def _no_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(callbacks, "PAUSES", (0.0, 0.01))

    def exchanges(self, runner: Runner, url: str) -> tuple[Exchange, ...]:
        over = threading.Event()
        told: list[tuple[Exchange, ...]] = []
        runner.callback(ask(url), lambda exchanges: (told.append(exchanges), over.set()))
        assert over.wait(20)
        return told[0]

    @pytest.mark.parametrize(
        ("acts", "statuses"),
        [
            ([reply(204)], [204]),
            ([reply(503), reply(200, b"anything")], [503, 200]),
            ([reply(500)], [500, 500, 500]),
            ([reset, reply(429), reply(204)], [0, 429, 204]),
            ([reply(404)], [404]),
        ],
    )
    def test_tries(self, runner: Runner, acts: list[Act], statuses: list[int]) -> None:
        with receiving(*acts) as receiver:
            told = self.exchanges(runner, receiver.url())
        assert [exchange.status for exchange in told] == statuses
        assert all(is_signed(came) for came in receiver.requests)

    def test_a_url_that_is_none(self, runner: Runner) -> None:
        """Nothing was sent; the developer sees why all the same."""
        (told,) = self.exchanges(runner, "ftp://u:p@host/")
        assert (told.method, told.url, told.status) == ("POST", "ftp://***@host/", 0)
        assert "This is not an http or https address" in told.error

    def test_it_has_the_cookies_of_its_call_though_that_is_over(self, runner: Runner) -> None:
        with receiving(document(Set_Cookie="a=b"), reply(204)) as receiver:
            runner.document(ask(receiver.url("/voice")))
            over = threading.Event()
            runner.callback(ask(receiver.url("/status")), lambda _: over.set())
            runner.over(CALL)
            assert over.wait(20)
        assert receiver.requests[1].headers["cookie"] == "a=b"

    def test_nobody_waits_for_a_server_that_hangs(self, quick: Runner) -> None:
        over = threading.Event()
        with receiving(hang) as receiver:
            quick.callback(ask(receiver.url()), lambda _: over.set())
            assert not over.is_set()
            assert over.wait(20)


def test_many_servers_that_hang_keep_nobody_from_the_others(tmp_path: Path) -> None:
    settings = errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__TIMEOUT="20")
    requests = Requests(settings)
    runner = Runner(settings, requests=requests)
    with receiving(hang) as slow, receiving(document()) as good:
        for _ in range(40):
            threading.Thread(target=failure, args=(runner, slow.url()), daemon=True).start()
        until(lambda: len(slow.requests) == 40, 30, "all servers to hang")
        assert runner.document(ask(good.url())).document.steps
    runner.close()
