"""The client of webhooks and documents against real servers that behave well, badly and with ill intent."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time

import pytest
import trustme

from app import net
from tests.net.receivers import drip, drip_body, flood, hang, receiving, reply, reset, say
from tests.support import free_port, until

HERE = ("127.0.0.0/8",)
QUICK = net.Limits(connect=0.4, read=0.4, total=0.4)


def ask(url: str, **options: object) -> net.Answer:
    with net.Client(**{"allowed": HERE, **options}) as client:  # type: ignore[arg-type]
        return client.request("POST", url, headers=[("X-Test", "Zoë")], content=b"{}")


def refusal(url: str, kind: type[net.NetError] = net.Unreachable, **options: object) -> str:
    with pytest.raises(net.NetError) as failed:
        ask(url, **options)
    assert type(failed.value) is kind, failed.value
    assert failed.value.__cause__ is None
    return str(failed.value)


def test_an_answer_comes_whole() -> None:
    with receiving(reply(201, b"made", X_Own="1")) as receiver:
        answer = ask(receiver.url("/a?b=%20c"))
    assert (answer.status, answer.body, answer.cut, answer.headers["x-own"]) == (201, b"made", False, "1")
    asked = receiver.requests[0]
    assert (asked.method, asked.target, asked.body) == ("POST", "/a?b=%20c", b"{}")
    assert (asked.headers["host"], asked.headers["x-test"]) == (f"127.0.0.1:{receiver.port}", "Zoë")
    assert asked.headers["accept-encoding"] == "identity"


class TestAddresses:
    """Where a name may lead to."""

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::ffff:127.0.0.1]", "[::1]"]
    )
    def test_this_host_under_any_name(self, host: str) -> None:
        with receiving() as receiver:
            assert "no public address" in refusal(receiver.url(host=host), net.Refused, allowed=())
        assert receiver.connections == 0

    def test_the_metadata_of_clouds(self) -> None:
        sentence = refusal("http://169.254.169.254/latest/meta-data", net.Refused)
        assert "169.254.169.254:80 leads to 169.254.169.254" in sentence
        assert "meta-data" not in sentence

    def test_a_name_that_leads_to_both_is_connected_to_where_it_may_be(self) -> None:
        with receiving() as receiver:
            answer = ask(receiver.url(host="both.test"), resolve=lambda host, port: ["10.0.0.1", "127.0.0.1"])
        assert answer.status == 204

    def test_the_dns_is_asked_once_and_a_second_answer_counts_for_nothing(self) -> None:
        asked = []

        def rebinding(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

        with receiving() as receiver:
            assert ask(receiver.url(host="rebinding.test"), resolve=rebinding).status == 204
        assert asked == ["rebinding.test"]
        assert receiver.requests[0].headers["host"] == f"rebinding.test:{receiver.port}"

    def test_an_answer_that_turns_private_is_refused(self) -> None:
        answers = iter((["127.0.0.1"], ["10.0.0.1"]))
        with receiving(reply(204)) as receiver:
            with net.Client(allowed=HERE, resolve=lambda host, port: next(answers)) as client:
                assert client.request("GET", receiver.url(host="rebinding.test")).status == 204
                with pytest.raises(net.Refused):
                    client.request("GET", receiver.url(host="rebinding.test"))
        assert receiver.connections == 1

    def test_the_next_address_is_tried_where_one_does_not_listen(self) -> None:
        with receiving() as receiver:
            found = ask(receiver.url(host="two.test"), resolve=lambda host, port: ["127.0.0.9", "127.0.0.1"])
        assert found.status == 204

    def test_redirects_are_not_followed(self) -> None:
        with receiving(reply(302, Location="http://169.254.169.254/latest")) as receiver:
            answer = ask(receiver.url())
        assert (answer.status, len(receiver.requests)) == (302, 1)

    def test_proxies_of_the_environment_are_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with receiving(reply(500)) as proxy, receiving(reply(204)) as receiver:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url(""))
            assert ask(receiver.url()).status == 204
        assert proxy.connections == 0


class TestUrls:
    """What is no URL."""

    @pytest.mark.parametrize(
        "url",
        [
            *("", "x", "ftp://example.com", "file:///etc/passwd", "http://", "http:///path", "http://host:0/"),
            *(
                "http://host:99999/",
                "http://host:x/",
                "http://a b/",
                "http://[::1",
                "http://a\nb/",
                "javascript:alert(1)",
            ),
            *("gopher://127.0.0.1:6379/_", "http://" + "a" * 2000, "unix:///var/run/x"),
        ],
    )
    def test_it_is_refused_in_a_sentence(self, url: str) -> None:
        with pytest.raises(net.BadRequest, match="address"):
            net.checked_url(url)

    def test_credentials_are_sent_and_never_said(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        with receiving(reply(200), reset) as receiver:
            url = receiver.url("/hook?token=hidden").replace("http://", "http://user:hidden@")
            assert ask(url).status == 200
            sentence = refusal(url)
        assert receiver.requests[0].headers["authorization"] == "Basic dXNlcjpoaWRkZW4="
        assert "hidden" not in sentence + caplog.text
        assert sentence.startswith(f"127.0.0.1:{receiver.port}: ")

    @pytest.mark.parametrize(
        "header", [("X-Bad", "a\r\nX-Own: 1"), ("X Bad", "1"), ("", "1"), ("X-Nul", "a\0b"), ("X-Ü", "1")]
    )
    def test_headers_inject_nothing(self, header: tuple[str, str]) -> None:
        with receiving() as receiver, net.Client(allowed=HERE) as client:
            with pytest.raises(net.BadRequest, match="header"):
                client.request("GET", receiver.url(), headers=[header])
        assert receiver.requests == []


class TestBadServers:
    """Errors are few and in sentences; nothing takes longer than the deadline."""

    @pytest.mark.parametrize("act", [hang, drip, drip_body])
    def test_slow_ones_end_at_the_deadline(self, act: object) -> None:
        with receiving(act) as receiver:  # type: ignore[arg-type]
            began = time.monotonic()
            sentence = refusal(receiver.url(), net.TimedOut, limits=QUICK)
            assert 0.3 < time.monotonic() - began < 1.5
        assert sentence == f"127.0.0.1:{receiver.port} gave no whole answer within 0.4 s."

    def test_a_resolver_that_hangs(self) -> None:
        over = threading.Event()

        def slow(host: str, port: int) -> list[str]:
            over.wait(30)
            return []

        refusal("http://slow.test/", net.TimedOut, resolve=slow, limits=QUICK)
        over.set()

    def test_a_tls_server_that_says_nothing(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            refusal(f"https://127.0.0.1:{silent.getsockname()[1]}/", net.TimedOut, limits=QUICK)

    def test_no_more_than_the_limit_is_read(self) -> None:
        with receiving(flood) as receiver:
            answer = ask(receiver.url())
        assert (answer.status, len(answer.body), answer.cut) == (200, 65536, True)

    def test_a_body_of_exactly_the_limit_is_not_cut(self) -> None:
        with receiving(reply(200, b"x" * 65536)) as receiver:
            answer = ask(receiver.url())
        assert (len(answer.body), answer.cut) == (65536, False)

    @pytest.mark.parametrize(
        "text", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"]
    )
    def test_what_is_not_http(self, text: bytes) -> None:
        with receiving(say(text)) as receiver:
            assert refusal(receiver.url()).endswith("the answer is not HTTP, or was cut off.")

    def test_headers_without_end(self) -> None:
        with receiving(say(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60000)) as receiver:
            refusal(receiver.url())

    def test_a_connection_that_breaks(self) -> None:
        with receiving(reset) as receiver:
            assert "reset" in refusal(receiver.url())

    def test_nobody_listens(self) -> None:
        assert "refused" in refusal(f"http://127.0.0.1:{free_port()}/")

    def test_a_name_that_is_not_known(self) -> None:
        def unknown(host: str, port: int) -> list[str]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        assert refusal("http://nobody.test/", resolve=unknown) == "nobody.test:80: the name is not known."
        assert "is not known" in refusal(f"http://{'a' * 64}.test/")
        assert "no address" in refusal("http://empty.test/", resolve=lambda host, port: [])


class TestTls:
    """The certificate is the name's, though the address was looked up before."""

    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def tls(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("hooks.test").configure_cert(context)
        return context

    @pytest.fixture
    def trust(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    def test_of_the_name(self, tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
        names: list[str] = []
        tls.sni_callback = lambda connection, name, context: names.append(str(name))
        with receiving(reply(204), tls=tls) as receiver:
            answer = ask(receiver.url(host="hooks.test"), trust=trust, resolve=lambda host, port: ["127.0.0.1"])
        assert (answer.status, names) == (204, ["hooks.test"])
        assert receiver.requests[0].headers["host"] == f"hooks.test:{receiver.port}"

    def test_of_another_name(self, tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
        with receiving(tls=tls) as receiver:
            url = receiver.url(host="others.test")
            sentence = refusal(url, trust=trust, resolve=lambda host, port: ["127.0.0.1"])
        assert "its certificate is not valid: Hostname mismatch" in sentence
        assert receiver.requests == []

    def test_of_nobody_that_is_trusted(self, tls: ssl.SSLContext) -> None:
        with receiving(tls=tls) as receiver:
            sentence = refusal(receiver.url(host="hooks.test"), resolve=lambda host, port: ["127.0.0.1"])
        assert "its certificate is not valid" in sentence

    def test_plain_http_on_the_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as plain:
            threading.Thread(target=lambda: plain.accept()[0].sendall(b"HTTP/1.1 400 No\r\n\r\n")).start()
            sentence = refusal(f"https://127.0.0.1:{plain.getsockname()[1]}/")
        assert "TLS failed: wrong version number, as of a server that speaks http" in sentence


def test_connections_end_with_the_client() -> None:
    ended = threading.Event()

    def keep(receiver: object, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        if connection.recv(1) == b"":
            ended.set()

    with receiving(keep) as receiver:
        assert ask(receiver.url()).status == 204
        until(ended.is_set, 5, "the connection to end")


def test_a_kept_connection_that_the_server_closes_costs_nothing() -> None:
    """It reads the second request, and is gone without a word; a server of our time does so after some seconds."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    accepted = []

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            accepted.append(connection)
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as server, net.Client(allowed=HERE) as client:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        for _ in range(3):
            assert client.request("POST", f"http://127.0.0.1:{server.getsockname()[1]}/", content=b"{}").body == b"ok"
        server.shutdown(socket.SHUT_RDWR)
    assert len(accepted) == 3
