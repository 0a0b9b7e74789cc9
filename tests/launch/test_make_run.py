"""`python -m app.launch` as people use it: first start, second start, Ctrl-C, and what is in its way."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.launch.run import ROOT, Launch
from tests.support import until
from voice.caller import Caller, CallFailed
from voice.media import tones
from voice.media.g711 import Law
from voice.prompts import Prompts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("launch")]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    made = Launch(tmp_path / "instance")
    yield made
    made.clean_up()


def rows(launch: Launch, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(launch.instance / "voicemail.db", timeout=10)) as connection:
        return connection.execute(query).fetchall()


def make_token(launch: Launch) -> str:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "token", "add", "test"]
    result = subprocess.run(command, cwd=ROOT, env=launch.variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return next(word for word in result.stdout.split() if word.startswith("vm_"))


def fetch(launch: Launch, path: str, token: str) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{launch.web_port}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return bytes(answer.read())


def test_the_first_start_leaves_a_message_and_the_second_is_quiet(launch: Launch) -> None:
    launch.start()
    password = launch.says(r"Password\s+(\S{10,})$")[1]
    pin = launch.says(r"PIN\s+(\d{4,8})$")[1]
    heard_at = launch.says(r"Hear it: http://127\.0\.0\.1:(\d+)/console/voicemail/1001$")
    assert heard_at[1] == str(launch.web_port)

    token = make_token(launch)
    until(lambda: json.loads(fetch(launch, "/api/voicemail/1001/messages", token))["messages"], what="the message")
    [message] = json.loads(fetch(launch, "/api/voicemail/1001/messages", token))["messages"]
    assert message["duration"] > 1
    sound = fetch(launch, f"/api/voicemail/messages/{message['id']}/audio", token)
    assert sound[:4] == b"RIFF"
    assert len(sound) > 8000 * message["duration"] * 0.9
    assert rows(launch, "SELECT count(*) FROM voicemail_message WHERE state = 'new'") == [(1,)]

    assert launch.end() == 0
    assert launch.left() == set()
    everything = "\n".join(path.read_text(errors="replace") for path in launch.instance.rglob("*.log"))
    assert password not in everything
    assert f" {pin} " not in everything

    launch.start()
    launch.says(r"is ready: ")
    assert launch.end() == 0
    assert launch.left() == set()
    until(lambda: launch.said[-1] == "Stopped.", what="the last line")
    said = "\n".join(launch.said)
    assert password not in said
    assert "PIN" not in said
    assert "test call" not in said
    # What a slow machine says while it waits is set in.
    kinds = [line.split(maxsplit=1)[0] for line in launch.said if not line.startswith("  ")]
    assert kinds == ["Starting", "Voicemail", "Stopping;", "Stopped."]


def test_a_password_that_was_given_is_not_shown(launch: Launch) -> None:
    launch.variables["VOICEMAIL_ADMIN_PASSWORD"] = "correct horse battery"
    launch.start()
    launch.says(r"is ready: ")
    launch.end()
    assert "correct horse battery" not in "\n".join(launch.said)
    assert any("VOICEMAIL_ADMIN_PASSWORD" in line for line in launch.said)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(started: Launch, signum: int) -> None:
    # Six processes at the least: supervisor, Valkey, portal, voice, jobs, relay.
    assert len(started.below()) >= 6
    assert started.end(signum) == 0
    assert started.left() == set()
    until(lambda: started.said[-1] == "Stopped.", what="the last line")
    log = (started.instance / "log" / "supervisor.log").read_text()
    # Valkey, which all others need, ends after them.
    assert re.findall(r"stopped: (\w+)", log)[-1] == "valkey"


def test_a_call_in_progress_is_kept(started: Launch) -> None:
    talker = threading.Thread(target=talk_until_the_end, args=(started.sip_port, "2001"))
    talker.start()
    until(lambda: any(file.stat().st_size > 30_000 for file in spooled(started)), 60, "three seconds of the recording")
    assert started.end() == 0
    assert started.left() == set()
    talker.join()

    started.start()
    started.says(r"is ready: ")
    until(lambda: rows(started, "SELECT state FROM voicemail_message") == [("new",)], 30, "the message")
    [(duration,)] = rows(started, "SELECT duration FROM voicemail_message")
    assert isinstance(duration, float)
    assert duration > 3


def spooled(launch: Launch) -> list[Path]:
    return list((launch.instance / "spool").glob("*.wav"))


def talk_until_the_end(port: int, extension: str) -> None:
    speech = Prompts("en").prompt("test_message", "en", Law.PCMU)
    with Caller("127.0.0.1", port) as caller:
        caller.dial(extension, Law.PCMU)
        caller.wait_tone(tones.BEEP_HZ, 60, to_its_end=True)
        with suppress(CallFailed):
            caller.speak(speech * 20)


def test_nothing_outlives_a_killed_launcher(started: Launch) -> None:
    assert len(started.below()) >= 6
    assert started.end(signal.SIGKILL) == -signal.SIGKILL
    until(lambda: not started.left(), 20, "the end of all processes")


def test_a_process_that_is_killed_is_started_again_and_named(started: Launch) -> None:
    [relay] = [pid for pid in started.below() if b"relay" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(relay, signal.SIGKILL)
    started.says(r"^relay: ended .* is started again")
    until(
        lambda: len([pid for pid in started.below() - started_gone(started) if is_relay(pid)]) == 1, 30, "a new relay"
    )


def started_gone(launch: Launch) -> set[int]:
    return launch.below() - launch.left()


def is_relay(pid: int) -> bool:
    try:
        return b"relay" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_second_start_of_the_same_instance_is_refused_in_one_line(started: Launch) -> None:
    code, said = started.once()
    assert code == 1
    assert said.count("\n") == 1
    assert str(started.instance) in said
    assert not started.pid_ended()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Launch]:
    """An instance that is ready; the voice worker takes no test call, since there is a mailbox already."""
    made = Launch(tmp_path / "instance")
    prepare(made)
    made.start()
    made.says(r"is ready: ")
    yield made
    made.clean_up()


def prepare(launch: Launch) -> None:
    for arguments in (
        ["app.launch", "prepare"],
        ["flask", "--app", "wsgi", "mailbox", "add", "2001", "--pin", "4827"],
    ):
        command = [sys.executable, "-m", *arguments]
        result = subprocess.run(command, cwd=ROOT, env=launch.variables, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("name", "kind"), [("WEB_PORT", socket.SOCK_STREAM), ("SIP_PORT", socket.SOCK_DGRAM)])
def test_a_taken_port_is_one_line(launch: Launch, name: str, kind: socket.SocketKind) -> None:
    with socket.socket(type=kind) as other:
        other.bind(("127.0.0.1", int(launch.variables[name])))
        if kind == socket.SOCK_STREAM:
            other.listen()
        code, said = launch.once()
    assert code == 2
    assert said.startswith(f"setting {name}: ")
    assert said.count("\n") == 1


def test_a_database_that_is_away_is_one_line(launch: Launch) -> None:
    launch.variables["DATABASE_URL"] = "postgresql://caller:s3cret@127.0.0.1:1/voicemail"
    code, said = launch.once()
    assert code == 2
    assert said.startswith("setting DATABASE_URL: ")
    assert said.count("\n") == 1
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("max_duration = -1", "max_duration"),
        ("[voicemail.web]\nport = 'x'", "web.port"),
        ("= nothing", "voicemail.toml"),
    ],
)
def test_a_wrong_settings_file_is_one_line(launch: Launch, text: str, key: str) -> None:
    launch.instance.mkdir()
    (launch.instance / "voicemail.toml").write_text(text)
    del launch.variables["WEB_PORT"]
    code, said = launch.once()
    assert code == 2
    assert said.count("\n") == 1
    assert key in said


def test_a_password_that_is_refused_is_one_line(launch: Launch) -> None:
    launch.variables["VOICEMAIL_ADMIN_PASSWORD"] = "short"
    code, said = launch.once()
    assert code == 2
    assert said.startswith("setting VOICEMAIL_ADMIN_PASSWORD: ")
    assert said.count("\n") == 1
