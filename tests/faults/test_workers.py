"""Several voice workers on one host: ports of their own, one spool, and an end that leaves nobody behind."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.config import PROJECT_ROOT, SettingsError
from tests.peers.instance import HOST, Instance, VoiceWorker
from tests.peers.speech import speech
from tests.support import make_settings, until
from voice.__main__ import _start
from voice.caller import Caller
from voice.media import tones
from voice.sip import Account
from voice.workers import FIRST_PAUSE, HEALTHY_SECONDS, LONGEST_PAUSE, Worker, share

pytestmark = [pytest.mark.peers, pytest.mark.slow]

EXTENSION = "7001"
FRAME = 160
# Below the ports that the kernel gives out: two in a row are to be free, and another pair for each test process.
SIP_PORT = str(9000 + os.getpid() % 240 * 4)


def test_each_has_its_ports_they_share_a_spool_and_one_that_dies_is_started_again(
    start_worker: Callable[..., VoiceWorker],
) -> None:
    # Each caller is silent for as long as the test looks elsewhere.
    patient = {"VOICEMAIL__SILENCE_TIMEOUT": "60", "VOICEMAIL__SIP__MEDIA_TIMEOUT": "600"}
    workers = start_worker(None, "--workers", "2", SIP_PORT=SIP_PORT, **patient)
    instance, ports = workers.instance, [workers.port, workers.port + 2]
    workers.wait_ready(ports[1])
    instance.mailbox(EXTENSION)
    said = [speech(1.5, seed=61), speech(1.5, seed=62)]
    with Caller(HOST, ports[0]) as first, Caller(HOST, ports[1]) as second:
        for index, caller in enumerate((first, second)):
            caller.dial(EXTENSION)
            low, high = share(instance.settings, index, 2).rtp_range
            assert low <= caller.audio.to[1] <= high
            caller.wait_tone(tones.BEEP_HZ, 20, to_its_end=True)
            caller.speak(said[index])
        victim, survivor = workers_of(workers)
        os.kill(victim, signal.SIGKILL)
        # Whoever looks through the spool now adopts the dead worker's recording, and keeps off the living one's.
        (message,) = wait_messages(instance, 1)
        assert said[0][:FRAME] in instance.spooled(message)
        assert message.call_id == first.call_id
        until(lambda: len(workers_of(workers)) == 2, 30, "a new worker")
        workers.wait_ready(ports[0])
        assert survivor in workers_of(workers)
        second.speak(said[1])
        second.press("#")
        second.wait_tone(tones.CONFIRMATION_HZ[0], 20)
    assert "worker=0 ended with code -9, it is started again" in workers.text()
    assert {message.call_id for message in wait_messages(instance, 2)} == {first.call_id, second.call_id}
    family = descendants(workers.pid)
    assert workers.stop(60) == 0
    assert [pid for pid in family if living(pid)] == []
    assert "Traceback" not in workers.text()


def test_the_death_of_the_parent_ends_all(start_worker: Callable[..., VoiceWorker]) -> None:
    workers = start_worker(None, "--workers", "2", SIP_PORT=SIP_PORT)
    workers.wait_ready(workers.port + 2)
    # Two workers, and a keeper and a courier each.
    until(lambda: len(descendants(workers.pid)) == 6, 60, "all of them")
    family = descendants(workers.pid)
    workers.kill()
    until(lambda: not any(map(living, family)), 60, "all end")


@pytest.mark.parametrize(
    ("arguments", "settings", "complaint"),
    [
        (["--workers", "0"], {}, "setting --workers: must be from 1 to 64, not 0"),
        (["--workers", "3"], {"RTP_PORTS": "20000-20003"}, "setting RTP_PORTS: 20000-20003 has no pair of ports"),
        (["--workers", "3"], {"SIP_PORT": "65533"}, "setting SIP_PORT: the last of 3 workers would need port 65537"),
        (["--workers", "3"], {"SIP_PORT": "19996"}, "setting SIP_PORT: 19996 to 20000 lie in RTP_PORTS"),
    ],
)
def test_ports_that_do_not_suffice_are_said_in_one_line(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], complaint: str
) -> None:
    environment = {"PATH": os.environ["PATH"], "VOICEMAIL_INSTANCE": str(tmp_path), **settings}
    command = [sys.executable, "-m", "voice", *arguments]
    result = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(complaint)


def test_a_port_that_is_taken_ends_the_start_of_all(tmp_path: Path, start_process: Callable[..., VoiceWorker]) -> None:
    instance = Instance(tmp_path / "instance", SIP_PORT=SIP_PORT)
    port = instance.settings.sip.port + 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, port))
        workers = start_process(instance, "voice", "--workers", "2")
        assert workers.popen.wait(60) == 2
    lines = [line for line in workers.text().splitlines() if line.startswith("setting ")]
    assert lines == [f"setting SIP_PORT: {HOST}:{port} cannot be used: Address already in use"]


def test_a_worker_that_dies_at_once_does_not_spin() -> None:
    now = 1000.0
    worker = Worker(0, [sys.executable, "-c", "raise SystemExit(3)"], clock=lambda: now)
    pauses = []
    for _ in range(9):
        worker.start()
        until(lambda: worker.process is not None and worker.process.poll() is not None, 20, "it dies")
        assert worker.ended() == 3
        assert worker.ended() is None
        pauses.append(worker.due - now)
    assert pauses == [FIRST_PAUSE * 2**number for number in range(6)] + [LONGEST_PAUSE] * 3
    worker.start()
    now += HEALTHY_SECONDS
    until(lambda: worker.process is not None and worker.process.poll() is not None, 20, "it dies")
    worker.ended()
    assert worker.due - now == FIRST_PAUSE


@pytest.mark.parametrize("ports", ["20000-29999", "20001-20050", "20000-20010"])
@pytest.mark.parametrize("workers", [2, 3, 5])
def test_shares_are_whole_pairs_that_no_two_workers_have(tmp_path: Path, ports: str, workers: int) -> None:
    settings = make_settings(tmp_path, RTP_PORTS=ports, SIP_PORT="5060")
    shares = [share(settings, index, workers) for index in range(workers)]
    assert [each.sip.port for each in shares] == [5060 + 2 * index for index in range(workers)]
    low, high = settings.rtp_range
    used: list[int] = []
    for each in shares:
        first, last = each.rtp_range
        assert (first % 2, last % 2) == (0, 1)
        used += range(first, last + 1)
    assert len(used) == len(set(used))
    assert low <= min(used)
    assert max(used) <= high


def test_the_first_alone_tells_a_pbx_of_waiting_messages_and_all_know_it(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, VOICEMAIL__SIP__REGISTRAR="pbx", VOICEMAIL__SIP__MWI_TARGET="pbx")
    shares = [share(settings, index, 3).sip for index in range(3)]
    assert [(sip.registrar, sip.mwi_target) for sip in shares] == [("pbx", "pbx"), ("pbx", "off"), ("pbx", "off")]


@pytest.mark.parametrize(("workers", "worker"), [(1, None), (3, 0), (3, 1), (3, 2)])
def test_one_of_all_registers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, worker: int | None
) -> None:
    """A registrar that knew several of us would ring at all of them, and each would answer (docs/adr/0006)."""

    def phone(*, account: Account, registers: bool, **_: object) -> None:
        made.append((account.registrar, registers))
        raise OSError(errno.EADDRINUSE, "far enough")

    made: list[tuple[str, bool]] = []
    monkeypatch.setenv("VOICEMAIL_INSTANCE", str(tmp_path))
    monkeypatch.setenv("VOICEMAIL__SIP__REGISTRAR", "pbx.example")
    monkeypatch.setattr("voice.worker.Phone", phone)
    monkeypatch.setattr("voice.__main__.share_one_arena", lambda: None)
    monkeypatch.setattr("sys.setswitchinterval", lambda _seconds: None)
    with pytest.raises(OSError, match="far enough"):
        _start(workers, worker)
    assert made == [("pbx.example", not worker)]


def test_one_worker_has_the_whole_range(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, RTP_PORTS="20001-20050")
    assert share(settings, 0, 1) == settings
    with pytest.raises(SettingsError):
        share(settings, 0, 25)


def wait_messages(instance: Instance, number: int) -> list[object]:
    until(lambda: len(instance.messages(EXTENSION)) == number, 90, f"{number} messages")
    return list(instance.messages(EXTENSION))


def workers_of(process: VoiceWorker) -> list[int]:
    """Process ids of the workers, in the order of their numbers."""
    by_number = {}
    for pid in process.children():
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if "--worker" in words:
            by_number[words[words.index("--worker") + 1]] = pid
    return [by_number[number] for number in sorted(by_number)]


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def living(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
