"""The courier's process: what it is asked comes back, and who asks learns at once when it is away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.config import Settings
from tests.net.receivers import hang, receiving, reply
from tests.support import until
from tests.twiml.servers import CALL, ask, document, errand_settings, is_signed, running, tone
from voice.helper_serving import Worker
from voice.twiml import codes, courier_client
from voice.twiml.courier import NICENESS, Courier
from voice.twiml.courier_client import CourierClient
from voice.twiml.errand_runner import Runner
from voice.twiml.errands import ErrandFailed, Exchange

PATIENCE = 60.0


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of the courier's process too, which gets them by its environment; a busy machine may be slow."""
    settings = errand_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__TIMEOUT="30")
    values = {
        "VOICEMAIL_INSTANCE": str(tmp_path),
        "VOICEMAIL__PROGRAMMABLE__TIMEOUT": "30",
        "VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS": ",".join(settings.programmable.allowed_networks),
        "VOICEMAIL__PROGRAMMABLE__AUTH_TOKEN": settings.programmable.auth_token,
        "VOICEMAIL__PROGRAMMABLE__ACCOUNT_SID": settings.programmable.account_sid,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def courier(settings: Settings) -> Iterator[CourierClient]:
    client = CourierClient(settings)
    client.start()
    until(lambda: client._channel, PATIENCE, "the courier to start")
    yield client
    client.stop()
    assert process_of(client).poll() is not None


def process_of(client: CourierClient) -> subprocess.Popen[bytes]:
    assert client._process is not None
    return client._process


def failure_of(courier: CourierClient, url: str) -> ErrandFailed:
    with pytest.raises(ErrandFailed) as failed:
        courier.document(ask(url))
    return failed.value


class TestProcess:
    """The real process over its socket."""

    pytestmark = pytest.mark.slow

    def test_all_that_it_is_asked(self, courier: CourierClient) -> None:
        body = '<Response><Gather numDigits="1"><Say>Zoë</Say></Gather><Sey/></Response>'.encode()
        with receiving(document(body, Set_Cookie="a=b")) as receiver:
            first = courier.document(ask(receiver.url("/voice")))
            courier.document(ask(receiver.url("/voice")))
            courier.over(CALL)
            courier.document(ask(receiver.url("/voice")))
            [gather] = first.document.steps
            assert gather.attributes["numDigits"] == 1
            assert gather.children[0].text == "Zoë"
            assert first.document.notices[0].code == codes.SCHEMA
            assert first.exchanges[0].status == 200
            assert [came.headers.get("cookie") for came in receiver.requests] == [None, "a=b", None]
            assert all(is_signed(came) for came in receiver.requests)

            receiver.play(reply(200, tone(), Content_Type="audio/wav", Cache_Control="max-age=60"))
            sounds = [courier.sound(receiver.url("/a.wav")) for _ in range(2)]
            assert [sound.cached for sound in sounds] == [False, True]
            assert sounds[0].path.with_suffix(".pcmu").stat().st_size == 8000

            receiver.play(reply(404, b"no"))
            error = failure_of(courier, receiver.url("/voice"))
            assert (error.code, error.exchanges[0].status, error.exchanges[0].body) == (codes.HTTP_STATUS, 404, "no")

            receiver.play(reply(204))
            told, over = [], threading.Event()
            courier.callback(ask(receiver.url("/status")), lambda exchanges: (told.extend(exchanges), over.set()))
            assert over.wait(PATIENCE)
            assert [exchange.status for exchange in told] == [204]
        priority = os.getpriority(os.PRIO_PROCESS, process_of(courier).pid)
        assert priority == os.getpriority(os.PRIO_PROCESS, 0) + NICENESS

    def test_one_that_is_killed_is_told_of_at_once_and_started_again(self, courier: CourierClient) -> None:
        with receiving(hang) as receiver, ThreadPoolExecutor() as pool:
            waiting = [pool.submit(failure_of, courier, receiver.url()) for _ in range(3)]
            until(lambda: len(receiver.requests) == 3, PATIENCE, "the requests")
            first = process_of(courier)
            first.kill()
            for future in waiting:
                error = future.result(PATIENCE)
                assert error.code == codes.INTERNAL
                assert str(error) == "Nothing can be fetched at this moment: the courier ended."
            receiver.play(document())
            refusals: list[str] = []
            until(lambda: is_served(courier, receiver.url(), refusals), PATIENCE, "another courier")
            # As long as it is away there is a sentence, each time.
            assert all(text.startswith("Nothing can be fetched at this moment: ") for text in refusals)
        assert process_of(courier) is not first

    def test_a_callback_that_went_down_with_it_is_sent_by_the_next(self, courier: CourierClient) -> None:
        told: list[Exchange] = []
        over = threading.Event()
        with receiving(hang) as receiver:
            courier.callback(ask(receiver.url("/status")), lambda exchanges: (told.extend(exchanges), over.set()))
            until(lambda: receiver.requests, PATIENCE, "the callback")
            receiver.play(reply(204))
            process_of(courier).kill()
            assert over.wait(PATIENCE)
        assert [exchange.status for exchange in told] == [204]
        assert len(receiver.requests) == 2

    def test_a_callback_that_takes_it_down_each_time_is_given_up(self, courier: CourierClient) -> None:
        told: list[Exchange] = []
        over = threading.Event()
        with receiving(hang) as receiver:
            courier.callback(ask(receiver.url("/status")), lambda exchanges: (told.extend(exchanges), over.set()))
            for number in (1, 2):
                until(lambda number=number: len(receiver.requests) == number, PATIENCE, "the callback")  # type: ignore[misc]
                process_of(courier).kill()
            assert over.wait(PATIENCE)
        assert [exchange.error for exchange in told] == ["The courier ended while it was under way."]

    def test_one_that_answers_no_more_holds_nobody_up_for_ever(
        self, settings: Settings, courier: CourierClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(courier_client, "PARSE_SECONDS", 0.3)
        monkeypatch.setattr(courier, "_seconds", 0.1)
        process = process_of(courier)
        process.send_signal(signal.SIGSTOP)
        try:
            assert "no answer within 0.4 s" in str(failure_of(courier, "http://127.0.0.1/"))
        finally:
            process.send_signal(signal.SIGCONT)

    def test_it_ends_with_its_worker(self, settings: Settings) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "voice.twiml.courier", str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        ours.sendall(b'{"id": 1, "ask": "sound", "url": "no url"}\n{"id": 2, "a')
        assert b"failed" in ours.recv(65536)
        # A stop of all processes does not end it before its worker.
        process.send_signal(signal.SIGTERM)
        ours.close()
        assert process.wait(PATIENCE) == 0

    def test_it_needs_neither_web_framework_nor_database(self) -> None:
        text = (
            "import sys, voice.twiml.courier; print([m for m in ('flask', 'sqlalchemy', 'numpy') if m in sys.modules])"
        )
        assert subprocess.check_output([sys.executable, "-c", text], text=True).strip() == "[]"


def is_served(courier: CourierClient, url: str, refusals: list[str]) -> bool:
    """Whether the courier brings a document; else why not."""
    try:
        return bool(courier.document(ask(url)).document.steps)
    except ErrandFailed as error:
        refusals.append(str(error))
        return False


class TestService:
    """The courier's end of the socket, within this process."""

    @pytest.fixture
    def runner(self, tmp_path: Path) -> Iterator[Runner]:
        with running(errand_settings(tmp_path)) as runner:
            yield runner

    @pytest.fixture
    def client(self, runner: Runner, settings: Settings) -> Iterator[CourierClient]:
        """One whose courier takes two errands and two callbacks at a time."""
        yield from self.served(runner, settings)

    def served(self, runner: Runner, settings: Settings) -> Iterator[CourierClient]:
        ours, theirs = socket.socketpair()
        client = CourierClient(settings)
        client._channel = ours
        reader = threading.Thread(target=client._read, args=(ours,), daemon=True)
        server = threading.Thread(target=Courier(runner, Worker(theirs), 2, 2).run, daemon=True)
        reader.start()
        server.start()
        yield client
        ours.shutdown(socket.SHUT_WR)
        server.join(PATIENCE)
        assert not server.is_alive()
        theirs.close()
        reader.join(PATIENCE)
        ours.close()

    def test_too_many_at_a_time_are_refused_in_a_sentence(self, client: CourierClient) -> None:
        with receiving(hang) as slow, receiving(document()) as good, ThreadPoolExecutor() as pool:
            hanging = [pool.submit(failure_of, client, slow.url()) for _ in range(2)]
            until(lambda: len(slow.requests) == 2, PATIENCE, "two errands")
            error = failure_of(client, good.url())
            assert str(error) == "More than 2 requests of calls are under way; this one was not begun."
            # Callbacks have a room of their own.
            over = threading.Event()
            told: list[Exchange] = []
            client.callback(ask(good.url("/status")), lambda exchanges: (told.extend(exchanges), over.set()))
            assert over.wait(PATIENCE)
            assert told[0].status == 200
            slow.close()
            for future in hanging:
                assert future.result(PATIENCE).code
            # The answer comes just before the place is free.
            until(lambda: is_served(client, good.url(), []), PATIENCE, "room for another")

    def test_callbacks_that_hang_keep_no_document_away(self, client: CourierClient) -> None:
        told: list[Exchange] = []
        with receiving(hang) as slow, receiving(document()) as good:
            for number in (1, 2):
                client.callback(ask(slow.url()), lambda _: None)
                until(lambda number=number: len(slow.requests) == number, PATIENCE, "a callback")  # type: ignore[misc]
            client.callback(ask(good.url()), told.extend)
            assert client.document(ask(good.url())).document.steps
            until(lambda: told, PATIENCE, "the third one")
            assert "not begun" in told[0].error

    def test_one_slow_server_holds_up_nobody_else(self, client: CourierClient) -> None:
        with receiving(hang) as slow, receiving(document()) as good, ThreadPoolExecutor() as pool:
            hanging = pool.submit(failure_of, client, slow.url())
            until(lambda: slow.requests, PATIENCE, "the slow one")
            assert client.document(ask(good.url())).document.steps
            assert not hanging.done()
            slow.close()
            assert hanging.result(PATIENCE).code

    def test_what_nobody_knows_is_told(self, client: CourierClient) -> None:
        with pytest.raises(ErrandFailed, match="Something failed on this side"):
            client._ask(PATIENCE, ask="strange")

    def test_a_client_without_a_courier_says_so(self, settings: Settings) -> None:
        client = CourierClient(settings)
        assert str(failure_of(client, "http://127.0.0.1/")) == (
            "Nothing can be fetched at this moment: the courier is not running."
        )
        with pytest.raises(ErrandFailed):
            client.sound("http://anna:s3cret@127.0.0.1/a.wav")
        # These never fail.
        client.over(CALL)
        client.callback(ask("http://127.0.0.1/"), lambda _: None)
