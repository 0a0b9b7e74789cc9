"""The test call of the portal and of the first start, as RQ runs it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from app.jobs import queue
from tests.peers.instance import HOST, Instance, Process, VoiceWorker
from tests.support import free_port, has_ipv6_loopback, missing, until
from voice.jobs import place_test_call

pytestmark = pytest.mark.peers


@pytest.fixture
def of_instance(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of the shared instance, as the job worker of that host has it."""
    for name, value in instance.environment.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.slow
def test_the_job_leaves_a_spoken_message(
    start_worker: Callable[..., VoiceWorker], start_process: Callable[..., Process], valkey: str
) -> None:
    worker = start_worker(REDIS_URL=valkey, SIP_HOST="0.0.0.0")
    instance = worker.instance
    extension = instance.mailbox("7001")
    start_process(instance, "app.jobs", "worker")
    with instance.app.app_context():
        job = queue.enqueue_voice("place_test_call", extension, "en")
        until(lambda: queue.voice_job(job)["state"] in ("done", "failed"), 60, "the end of the test call")
        result = queue.voice_job(job)["result"]
    assert result["ok"], result
    assert f"left in mailbox {extension}" in result["detail"]
    message = instance.message(extension)
    assert (message.state, message.caller_name) == ("new", "Voicemail Pro test call")
    assert 1 < message.duration < result["seconds"]
    assert worker.call_line(message.call_id)["ended_by"] == "key"


@pytest.mark.slow
def test_a_message_is_left_over_ipv6(start_worker: Callable[..., VoiceWorker], monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_ipv6_loopback():
        missing("this machine has no IPv6 loopback")
    worker = start_worker(SIP_HOST="::1")
    extension = worker.instance.mailbox("7001")
    for name, value in worker.instance.environment.items():
        monkeypatch.setenv(name, value)
    result = place_test_call(extension, "en")
    assert result["ok"], result
    message = worker.instance.message(extension)
    assert 1 < message.duration < result["seconds"]
    assert worker.call_line(message.call_id)["ended_by"] == "key"


def test_a_wildcard_address_is_called_on_this_host(of_instance: pytest.MonkeyPatch) -> None:
    of_instance.setenv("SIP_HOST", "0.0.0.0")
    port = free_port(socket.SOCK_DGRAM)
    of_instance.setenv("SIP_PORT", str(port))
    result = place_test_call("1001", "en")
    assert not result["ok"]
    assert f"Nobody listens on 127.0.0.1 port {port}" in result["detail"]


def test_an_unknown_mailbox_is_said(worker: VoiceWorker, of_instance: pytest.MonkeyPatch) -> None:
    result = place_test_call("6997", "en")
    assert not result["ok"]
    assert "no mailbox 6997" in result["detail"]
    assert "404" in result["detail"]


def test_a_port_that_never_answers_is_said(of_instance: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind((HOST, 0))
        of_instance.setenv("SIP_PORT", str(deaf.getsockname()[1]))
        result = place_test_call("1001", "en")
    assert not result["ok"]
    assert "Nobody answers" in result["detail"]


def test_nonsense_for_an_answer_is_no_answer(of_instance: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as strange:
        strange.bind((HOST, 0))
        of_instance.setenv("SIP_PORT", str(strange.getsockname()[1]))

        def answer() -> None:
            data, source = strange.recvfrom(65535)
            call_id = next(line for line in data.split(b"\r\n") if line.startswith(b"Call-ID"))
            for reply in (b"\0" * 50, b"SIP/2.0 200 OK\r\n\r\n", b"SIP/2.0 200 OK\r\n" + call_id + b"\r\n\r\n"):
                strange.sendto(reply, source)

        thread = threading.Thread(target=answer)
        thread.start()
        result = place_test_call("1001", "en")
        thread.join()
    assert not result["ok"]
    assert "Nobody answers" in result["detail"]
