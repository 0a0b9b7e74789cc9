"""The connection that is kept between mails: when it is used again, when it is not, and what a slow server costs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.config import Settings
from app.delivery.errors import PermanentError, TemporaryError
from app.mail import connection, kept
from tests.delivery.mail_server import HOST, Authority, serving, with_smtp
from tests.delivery.test_mail_connection import letter
from tests.support import make_settings, until


@pytest.fixture
def settings(tmp_path: Any) -> Iterator[Settings]:
    yield make_settings(tmp_path)
    if (rests := kept._place.take()) is not None:
        rests.close()


class Script:
    """Connections that were opened, and lines that were heard on each."""

    def __init__(self) -> None:
        self.heard: list[list[bytes]] = []
        self.closed = 0


@contextmanager
def scripted(answer: Callable[[int, int], bytes]) -> Iterator[tuple[Script, int]]:
    """A mail server of our own. answer(connection, mail): what it says to the MAIL of the so-manieth mail there."""
    script = Script()

    def talk(client: socket.socket, heard: list[bytes], number: int) -> None:
        mails = 0
        with client, client.makefile("rb") as lines:
            client.sendall(b"220 hello\r\n")
            for line in lines:
                heard.append(line.strip())
                verb = line[:4].upper()
                if verb == b"DATA":
                    client.sendall(b"354 go on\r\n")
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    client.sendall(b"250 taken\r\n")
                elif verb == b"MAIL":
                    mails += 1
                    said = answer(number, mails)
                    if not said:
                        break
                    client.sendall(said)
                else:
                    client.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
        script.closed += 1

    def listen() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            script.heard.append([])
            arguments = (client, script.heard[-1], len(script.heard))
            threading.Thread(target=talk, args=arguments, daemon=True).start()

    with socket.create_server((HOST, 0)) as listening:
        threading.Thread(target=listen, daemon=True).start()
        yield script, listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def fine(number: int, mail: int) -> bytes:
    return b"250 ok\r\n"


def mails(script: Script) -> list[int]:
    """Mails that were begun on each connection."""
    return [sum(line.startswith(b"mail") for line in heard) for heard in script.heard]


def test_mails_go_over_one_connection(settings: Settings) -> None:
    with scripted(fine) as (script, port):
        for _ in range(3):
            assert kept.post(letter(), with_smtp(settings, port=port)) == "250 taken"
    assert mails(script) == [3]


def test_a_connection_is_closed_after_a_pause(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "IDLE_SECONDS", 0.05)
    with scripted(fine) as (script, port):
        for number in range(2):
            kept.post(letter(), with_smtp(settings, port=port))
            until(lambda number=number: script.closed == number + 1, 10, "it is closed")
    assert mails(script) == [1, 1]
    assert all(heard[-1] == b"quit" for heard in script.heard)


def test_a_connection_carries_so_many_mails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_MAILS", 2)
    with scripted(fine) as (script, port):
        for _ in range(5):
            kept.post(letter(), with_smtp(settings, port=port))
    assert mails(script) == [2, 2, 1]


def test_other_settings_are_another_connection(settings: Settings) -> None:
    with scripted(fine) as (script, port):
        kept.post(letter(), with_smtp(settings, port=port))
        kept.post(letter(), with_smtp(settings, port=port, timeout=4.0))
        until(lambda: script.closed == 1, 10, "the first is closed")
    assert mails(script) == [1, 1]


@pytest.mark.parametrize("said", [b"421 4.7.0 enough mails on this connection\r\n", b""])
def test_a_server_that_ends_the_connection_gets_the_mail_on_another(settings: Settings, said: bytes) -> None:
    with scripted(lambda number, mail: said if mail == 2 else b"250 ok\r\n") as (script, port):
        for _ in range(2):
            assert kept.post(letter(), with_smtp(settings, port=port)) == "250 taken"
    assert mails(script) == [2, 1]


def test_a_server_that_says_so_at_once_is_not_asked_twice(settings: Settings) -> None:
    with scripted(lambda number, mail: b"421 4.3.2 not now\r\n") as (script, port):
        with pytest.raises(TemporaryError, match="421"):
            kept.post(letter(), with_smtp(settings, port=port))
        assert mails(script) == [1]
        with pytest.raises(TemporaryError, match="421"):
            kept.post(letter(), with_smtp(settings, port=port))
    assert mails(script) == [1, 1]


def test_a_mail_that_was_offered_is_not_offered_again_at_once(settings: Settings) -> None:
    with serving() as (handler, port):
        mine = with_smtp(settings, port=port)
        kept.post(letter(), mine)
        handler.refuse("DATA", "421 going away")
        with pytest.raises(TemporaryError, match="421"):
            kept.post(letter(), mine)
        assert len(handler.offered) == 2
        kept.post(letter(), mine)
    assert len(handler.mails) == 2


def test_a_refusal_leaves_the_connection(settings: Settings) -> None:
    refusals = [b"250 ok\r\n", b"550 5.7.1 not from you\r\n", b"250 ok\r\n"]
    with scripted(lambda number, mail: refusals[mail - 1]) as (script, port):
        mine = with_smtp(settings, port=port)
        kept.post(letter(), mine)
        with pytest.raises(PermanentError, match="550"):
            kept.post(letter(), mine)
        kept.post(letter(), mine)
    assert mails(script) == [3]
    assert b"rset" in script.heard[0]


def test_over_tls(settings: Settings, authority: Authority) -> None:
    with serving(tls_context=authority.context(), require_starttls=True) as (handler, port):
        mine = with_smtp(settings, port=port, use_tls=True, ca_file=authority.file)
        for _ in range(3):
            kept.post(letter(), mine)
    assert handler.tls == [True] * 3


@pytest.mark.parametrize("tls", [False, True])
def test_a_server_that_drips_costs_the_total_time_and_no_more(
    settings: Settings, authority: Authority, tls: bool
) -> None:
    over = threading.Event()

    def drip() -> None:
        client, _ = listening.accept()
        with client, authority.context().wrap_socket(client, server_side=True) if tls else client as speaks:
            while not over.wait(0.02):
                try:
                    speaks.sendall(b"2")
                except OSError:
                    over.set()

    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1]
        threading.Thread(target=drip, daemon=True).start()
        mine = with_smtp(settings, port=port, timeout=5.0, total_timeout=0.3, ca_file=authority.file)
        opened = connection.Connection(mine, 5.0)
        opened.mail.use_ssl = tls
        with pytest.raises(TemporaryError, match=r"takes longer than 0\.3 s"), opened:
            pass
    until(over.is_set, 10, "the connection is over")
