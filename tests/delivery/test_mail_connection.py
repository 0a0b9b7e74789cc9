"""Sending, against servers that listen: TLS, log-in, refusals, silence."""

from __future__ import annotations

import logging
import smtplib
import socket
import threading
import time
from typing import Any

import pytest
from flask_mail import Attachment

from app import doctor
from app.config import Settings
from app.delivery.errors import DeliveryError, PermanentError, TemporaryError
from app.findings import Doubtful, Wrong
from app.mail.connection import connect
from app.mail.letter import Letter
from app.mail.refusals import MailTooLarge
from app.mail.sender import address_of, sender_of
from app.mail.templates import Texts
from tests.delivery.mail_server import (
    HOST,
    Authority,
    Handler,
    Passwords,
    Slow,
    own_address,
    parse,
    serving,
    silent,
    talking,
    with_smtp,
)
from tests.support import free_port, make_settings

TEXTS = Texts("Grüße 王", "Hello\n.\n", "<p>Hello</p>")


def letter(to: str = "anna@example.com", attachment: Attachment | None = None) -> Letter:
    headers = {"Message-ID": "<one@example.com>"}
    return Letter(address_of("voicemail@example.com"), address_of(to), TEXTS, headers, attachment)


def large(size: int) -> Letter:
    """A mail that is a third larger than this."""
    return letter(attachment=Attachment("take.wav", "audio/wav", bytes(range(250)) * (size // 250)))


def post(settings: Settings, to: str = "anna@example.com") -> str:
    with connect(settings) as connection:
        return connection.post(letter(to))


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return make_settings(tmp_path)


def test_a_mail_is_taken_and_the_answer_told(settings: Settings, mail_server: tuple[Handler, int]) -> None:
    handler, port = mail_server
    assert post(with_smtp(settings, port=port)) == "250 2.0.0 queued as TEST1"
    (envelope,), (mail,) = handler.mails, handler.parsed()
    assert (envelope.mail_from, envelope.rcpt_tos) == ("voicemail@example.com", ["anna@example.com"])
    assert (mail["Subject"], mail["To"]) == ("Grüße 王", "anna@example.com")
    assert mail.get_body(("plain",)).get_content() == "Hello\n.\n"
    assert handler.tls == [False]


def test_starttls_with_a_private_authority(settings: Settings, authority: Authority) -> None:
    with serving(tls_context=authority.context(), require_starttls=True) as (handler, port):
        post(with_smtp(settings, port=port, use_tls=True, ca_file=authority.file))
    assert handler.tls == [True]


def test_tls_from_the_start_on_port_465(settings: Settings, authority: Authority) -> None:
    host = own_address()
    with serving(host, smtplib.SMTP_SSL_PORT, ssl_context=authority.context(host)) as (handler, port):
        assert port == 465
        post(with_smtp(settings, host=host, port=port, use_tls=True, ca_file=authority.file))
        post(with_smtp(settings, host=host, port=port, use_tls=False, ca_file=authority.file))
        with pytest.raises(TemporaryError, match="not trusted"):
            post(with_smtp(settings, host=host, port=port))
    assert len(handler.mails) == 2


@pytest.mark.parametrize("case", ["unknown authority", "another name"])
def test_a_certificate_that_is_not_the_servers(settings: Settings, authority: Authority, case: str) -> None:
    context = authority.context("mail.example.com" if case == "another name" else HOST)
    file = authority.file if case == "another name" else None
    with serving(tls_context=context) as (handler, port):
        with pytest.raises(TemporaryError, match="certificate that is not trusted"):
            post(with_smtp(settings, port=port, use_tls=True, ca_file=file))
    assert handler.mails == []


def test_tls_is_required_and_not_only_tried(settings: Settings, mail_server: tuple[Handler, int]) -> None:
    handler, port = mail_server
    with pytest.raises(TemporaryError, match="STARTTLS"):
        post(with_smtp(settings, port=port, use_tls=True))
    assert handler.mails == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none(settings: Settings, authority: Authority, tmp_path: Any, content: str | None) -> None:
    file = tmp_path / "other.pem"
    if content:
        file.write_text(content)
    with serving(tls_context=authority.context()) as (_, port):
        with pytest.raises(TemporaryError, match=r"smtp\.ca_file .* cannot be used"):
            post(with_smtp(settings, port=port, use_tls=True, ca_file=file))


def test_the_log_in(settings: Settings, authority: Authority) -> None:
    options = {"authenticator": Passwords(), "auth_required": True, "tls_context": authority.context()}
    with serving(**options) as (handler, port):
        mine = with_smtp(settings, port=port, use_tls=True, ca_file=authority.file, username="anna")
        post(with_smtp(mine, use_tls=True, password="s3cret word"))
        assert len(handler.mails) == 1
        with pytest.raises(TemporaryError, match="refuses the user name or password") as refused:
            post(with_smtp(mine, use_tls=True, password="another word"))
        assert "another word" not in str(refused.value)
        with pytest.raises(TemporaryError, match="530"):
            post(with_smtp(mine, use_tls=True, username=""))
        with pytest.raises(TemporaryError, match="only ASCII"):
            post(with_smtp(mine, use_tls=True, password="pässword"))
    assert len(handler.mails) == 1


@pytest.mark.parametrize(
    ("verb", "reply", "kind"),
    [
        ("MAIL", "421 4.3.2 shutting down", TemporaryError),
        ("MAIL", "451 try later", TemporaryError),
        ("MAIL", "530 5.7.0 Authentication required", TemporaryError),
        ("MAIL", "550 sender unknown", PermanentError),
        ("MAIL", "552 5.3.4 too big", MailTooLarge),
        ("RCPT", "421 too many", TemporaryError),
        ("RCPT", "450 4.2.0 greylisted", TemporaryError),
        ("RCPT", "550 5.1.1 no such user", PermanentError),
        ("DATA", "421 going away", TemporaryError),
        ("DATA", "452 disk full", TemporaryError),
        ("DATA", "552 5.3.4 too big", MailTooLarge),
        ("DATA", "554 5.7.1 spam", PermanentError),
    ],
)
def test_refusals(
    settings: Settings, mail_server: tuple[Handler, int], verb: str, reply: str, kind: type[DeliveryError]
) -> None:
    handler, port = mail_server
    handler.refuse(verb, reply)
    with pytest.raises(DeliveryError) as refused:
        post(with_smtp(settings, port=port))
    assert type(refused.value) is kind
    assert reply in str(refused.value)
    post(with_smtp(settings, port=port))
    assert len(handler.mails) == 1


def test_one_connection_goes_on_after_a_refusal(settings: Settings, mail_server: tuple[Handler, int]) -> None:
    handler, port = mail_server
    handler.refuse("RCPT", "550 no such user")
    with connect(with_smtp(settings, port=port)) as connection:
        with pytest.raises(PermanentError):
            connection.post(letter("nobody@example.com"))
        connection.post(letter())
    assert [envelope.rcpt_tos for envelope in handler.mails] == [["anna@example.com"]]


def test_a_black_hole_costs_the_time_out_and_no_more(settings: Settings) -> None:
    with silent() as port:
        began = time.monotonic()
        with pytest.raises(TemporaryError, match=r"does not answer within 0\.3 s"):
            post(with_smtp(settings, port=port, timeout=0.3))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("way", ["plain", "starttls", "tls"])
def test_a_mail_may_take_longer_than_the_server_may_be_silent(
    settings: Settings, authority: Authority, way: str
) -> None:
    host = own_address() if way == "tls" else HOST
    mine = with_smtp(settings, host=host, use_tls=way != "plain", timeout=1.0, ca_file=authority.file)
    options: dict[str, Any] = {"context": authority.context(host), "implicit": way == "tls"}
    with Slow(100_000, address=(host, smtplib.SMTP_SSL_PORT if way == "tls" else 0), **options) as server:
        began = time.monotonic()
        with connect(with_smtp(mine, **{**vars(mine.smtp), "port": server.port})) as connection:
            assert connection.post(large(370_000)) == "250 taken"
            took = time.monotonic() - began
            # What the answer to a mail may take is for that answer alone.
            assert connection.host is not None
            assert connection.host.sock is not None
            assert connection.host.sock.gettimeout() == 1.0
    assert took > 3
    (mail,) = server.mails
    message = parse(mail.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
    assert message.get_body(("plain",)).get_content() == "Hello\n.\n"
    (sound,) = message.iter_attachments()
    assert sound.get_content() == bytes(range(250)) * 1480


@pytest.mark.parametrize("way", ["plain", "starttls"])
def test_a_server_that_takes_no_more_of_a_mail_costs_the_time_out(
    settings: Settings, authority: Authority, way: str
) -> None:
    mine = {"use_tls": way == "starttls", "timeout": 0.5, "total_timeout": 10.0, "ca_file": authority.file}
    with Slow(1_000_000, 100_000, context=authority.context()) as server:
        began = time.monotonic()
        with connect(with_smtp(settings, port=server.port, **mine)) as connection:
            with pytest.raises(TemporaryError, match=r"does not answer within 0\.5 s"):
                connection.post(large(370_000))
    assert time.monotonic() - began < 3
    assert server.mails == []


def test_a_mail_that_drips_ends_at_the_limit_of_the_whole(settings: Settings) -> None:
    with Slow(100_000) as server:
        began = time.monotonic()
        with connect(with_smtp(settings, port=server.port, timeout=1.0, total_timeout=2.0)) as connection:
            with pytest.raises(TemporaryError, match="takes longer than 2 s"):
                connection.post(large(370_000))
    assert 1.5 < time.monotonic() - began < 3.5
    assert server.mails == []


def test_a_mail_that_is_examined_for_longer_than_the_server_may_be_silent_is_taken_once(
    settings: Settings, mail_server: tuple[Handler, int]
) -> None:
    handler, port = mail_server
    handler.free.clear()
    answering = threading.Timer(1.0, handler.free.set)
    answering.start()
    assert post(with_smtp(settings, port=port, timeout=0.3)).startswith("250")
    answering.join()
    assert len(handler.offered) == len(handler.mails) == 1


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "takes longer than 1 s"), (0.3, r"does not answer within 0\.3 s")]
)
def test_the_answer_to_a_mail_is_waited_for_but_not_where_somebody_waits(
    settings: Settings, mail_server: tuple[Handler, int], seconds: float | None, words: str
) -> None:
    handler, port = mail_server
    handler.free.clear()
    try:
        with connect(with_smtp(settings, port=port, timeout=0.4, total_timeout=1.0), seconds) as connection:
            with pytest.raises(TemporaryError, match=words):
                connection.post(letter())
    finally:
        handler.free.set()


def test_a_server_that_wants_no_mail_now_has_not_taken_it(settings: Settings) -> None:
    """250 to DATA is no 354."""
    with talking(b"220 hello\r\n", *3 * (b"250 OK\r\n",), b"250 OK\r\n", b"250 OK\r\n") as port:
        with pytest.raises(TemporaryError, match="refuses the mail: 250 OK"):
            post(with_smtp(settings, port=port, timeout=1.0))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((b"220 hello\r\n", b"250 hello\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"), "closed the connection"),
        ((b"421 too busy\r\n",), "421 too busy"),
        ((b"220 hello\r\n", b"250 hello\r\n", b"421 enough for now\r\n"), "421 enough for now"),
        ((b"554 no service here\r\n",), "554 no service here"),
        ((b"220 hello\r\n", b"250 hello\r\n", b"250 OK\r\n"), "closed the connection"),
        ((), "closed the connection"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "cannot be used|does not let us in|closed"),
    ],
)
def test_servers_that_go_away(settings: Settings, lines: tuple[bytes, ...], words: str) -> None:
    with talking(*lines) as port:
        with pytest.raises(TemporaryError, match=words):
            post(with_smtp(settings, port=port, timeout=1.0))


def test_what_was_taken_is_taken_though_nobody_says_goodbye(settings: Settings) -> None:
    taken = (b"220 hello\r\n", b"250 hello\r\n", b"250 OK\r\n", b"250 OK\r\n")
    with socket.create_server((HOST, 0)) as listening:

        def talk() -> None:
            client, _ = listening.accept()
            with client, client.makefile("rb") as heard:
                for line in (*taken, b"354 go on\r\n"):
                    client.sendall(line)
                    heard.readline()
                while heard.readline() != b".\r\n":
                    pass
                client.sendall(b"250 taken\r\n")

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        assert post(with_smtp(settings, port=listening.getsockname()[1])) == "250 taken"
        thread.join(5)


def test_a_port_where_nobody_listens_and_a_name_that_is_none(settings: Settings) -> None:
    with pytest.raises(TemporaryError, match="cannot be reached"):
        post(with_smtp(settings, port=free_port()))
    with pytest.raises(TemporaryError, match="name that cannot be found"):
        post(with_smtp(settings, host="mail.invalid"))


def test_a_local_part_beyond_ascii_needs_smtputf8(settings: Settings, mail_server: tuple[Handler, int]) -> None:
    handler, port = mail_server
    with pytest.raises(PermanentError, match=r"zoë@example\.com needs SMTPUTF8"):
        post(with_smtp(settings, port=port), "zoë@example.com")
    assert handler.mails == []
    with serving(enable_SMTPUTF8=True) as (able, port):
        post(with_smtp(settings, port=port), "zoë@bücher.example")
        post(with_smtp(settings, port=port))
    assert able.mails[0].rcpt_tos == ["zoë@xn--bcher-kva.example"]
    assert able.parsed()[0]["To"] == "zoë@xn--bcher-kva.example"
    assert ["SMTPUTF8" in options for options in able.mail_options] == [True, False]


def test_a_domain_beyond_ascii_needs_nothing(settings: Settings, mail_server: tuple[Handler, int]) -> None:
    handler, port = mail_server
    post(with_smtp(settings, port=port), "anna@straße.example")
    assert handler.mails[0].rcpt_tos == ["anna@xn--strae-oqa.example"]


def test_the_password_is_in_no_error(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lines = (b"220 hi\r\n", b"250-hi\r\n250 AUTH LOGIN PLAIN\r\n", b"535 s3cret is wrong\r\n", b"535 s3cret\r\n")
    with talking(*lines) as port:
        with pytest.raises(TemporaryError) as refused:
            post(with_smtp(settings, port=port, username="anna", password="s3cret", timeout=1.0))
    assert "s3cret" not in f"{refused.value} {caplog.text}"


@pytest.mark.parametrize(
    ("sender", "public_url", "expected"),
    [
        ("", "https://voicemail.example.com", ("Voicemail", "voicemail@voicemail.example.com")),
        ("", "http://127.0.0.1:8000", ("Voicemail", "voicemail@pbx.example.net")),
        ("box@example.com", "", ("Voicemail", "box@example.com")),
        ('"Firma Müller, Zentrale" <box@example.com>', "", ("Firma Müller, Zentrale", "box@example.com")),
    ],
)
def test_who_mails_are_from(tmp_path: Any, sender: str, public_url: str, expected: tuple[str, str]) -> None:
    variables = {"VOICEMAIL__SMTP__FROM": sender, "PUBLIC_URL": public_url, "VOICEMAIL__HOST_NAME": "pbx.example.net"}
    found = sender_of(make_settings(tmp_path, **variables))
    assert (found.name, found.address) == expected
    content = Letter(found, address_of("a@example.com"), TEXTS, {}).as_bytes()
    assert content.isascii()


def test_doctor_uses_the_same_connection(settings: Settings, mail_server: tuple[Handler, int]) -> None:
    _, port = mail_server
    assert f"{HOST}:{port}" in doctor.smtp(with_smtp(settings, port=port))
    with pytest.raises(Wrong, match="STARTTLS"):
        doctor.smtp(with_smtp(settings, port=port, use_tls=True))
    options = {"authenticator": Passwords(), "auth_require_tls": False}
    with serving(**options) as (_, port):
        with pytest.raises(Doubtful, match="without TLS"):
            doctor.smtp(with_smtp(settings, port=port, username="anna", password="s3cret word"))
