"""Whether the store has what the database says: what is missing, damaged or unknown, and a store that goes away."""

from __future__ import annotations

import hashlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import insert, update

from app.config import PROJECT_ROOT
from app.extensions import db
from app.models import Greeting, Mailbox, Message
from app.models.base import new_id, utc_now
from app.services import greetings, mailboxes, prompts, purge, recording_end, verify
from app.services.context import settings
from app.services.spool import wav_of
from app.storage import StoreError, message_key
from app.storage.local import LocalStore
from tests.conftest import leave_message
from tests.services.recorded import CALL_SID, recorded, row
from tests.services.sounds import encoded, tone
from tests.services.takes import saved
from tests.support import until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "SECOND_LOOK_SECONDS", 0.01)


def run(app: Flask, *arguments: str) -> Result:
    db.session.rollback()
    return app.test_cli_runner().invoke(args=["storage", "verify", *arguments])


def stored(app: Flask, extension: str = "1001") -> tuple[str, Path]:
    """A message in the store, and the file that the store has of it."""
    message_id = leave_message(app, extension)
    key = message_key(mailboxes.get(extension).id, message_id)
    return message_id, settings().storage.folder / "objects" / key


def test_all_is_well(any_app: Flask, box: Mailbox) -> None:
    stored(any_app)
    stored(any_app)
    greetings.set_greeting("1001", encoded(tone()), actor="t")
    prompts.set_custom("goodbye", "en", encoded(tone()), actor="t")
    result = run(any_app)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "2 messages, 1 greeting, 1 prompt in the store: all is well.\n"


@pytest.mark.parametrize("mount_point", [True, False])
def test_a_disk_that_is_not_mounted_is_said_once(any_app: Flask, box: Mailbox, mount_point: bool) -> None:
    for _ in range(3):
        stored(any_app)
    folder = settings().storage.folder
    folder.rename(folder.with_name("elsewhere"))
    if mount_point:
        folder.mkdir()
    result = run(any_app)
    assert result.exit_code != 0
    assert result.output.count(str(folder)) == 1
    assert "holds no objects at all. See that its disk is mounted." in result.output
    assert "is not in the store" not in result.output


def test_an_empty_house_is_well(any_app: Flask) -> None:
    assert run(any_app).stdout == "Nothing in the store: all is well.\n"


def test_recordings_of_calls_are_looked_at_as_well(any_app: Flask, box: Mailbox) -> None:
    stored(any_app)
    good, gone, bent = recorded(), recorded(), recorded()
    recorded(uploaded=False)
    recording_end.delete(recorded(), actor="t")
    result = run(any_app)
    host = settings().host_name
    assert result.stdout == (
        "1 message, 3 recordings in the store: all is well.\n" + f"1 recording only in a spool as yet ({host}: 1).\n"
    )
    folder = settings().storage.folder / "objects" / "recordings"
    (folder / f"{gone}.wav").unlink()
    (folder / f"{bent}.wav").write_bytes(b"RIFF")
    (folder / f"RE{'0' * 32}.wav").write_bytes((folder / f"{good}.wav").read_bytes())
    lost = recorded(uploaded=False)
    wav_of(settings(), row(lost).take_id or "").unlink()
    result = run(any_app)
    assert result.exit_code == 1
    said = result.stdout
    call = f"of call {CALL_SID}"
    assert f"missing: recording {gone} {call} is not in the store (recordings/{gone}.wav)\n" in said
    assert f"damaged: recording {bent} {call} has 4 bytes" in said
    assert f"missing: recording {lost} {call} is neither in the store nor in the spool of this host\n" in said
    assert f"unknown: recordings/RE{'0' * 32}.wav: nothing in the database names it\n" in said
    assert good not in said
    # Those of a mailbox are its own.
    assert run(any_app, "--mailbox", "1001").stdout == "1 message in the store: all is well.\n"


def test_what_is_missing_damaged_and_unknown_is_a_line_each(any_app: Flask, box: Mailbox) -> None:
    good, _ = stored(any_app)
    (gone, gone_path), (cut, cut_path), (bent, bent_path) = (stored(any_app) for _ in range(3))
    greeting = greetings.set_greeting("1001", encoded(tone()), actor="t")
    greeting_id, key = greeting.id, greeting.storage_key
    prompt = prompts.set_custom("goodbye", "en", encoded(tone()), actor="t").storage_key
    gone_path.unlink()
    cut_path.write_bytes(cut_path.read_bytes()[:-1])
    whole = bent_path.read_bytes()
    bent_path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for each in (key, prompt):
        (settings().storage.folder / "objects" / each).unlink()
    stray = bent_path.with_name(f"{new_id()}.wav")
    stray.write_bytes(b"RIFF")
    result = run(any_app)
    assert result.exit_code == 1
    *lines, summary = result.stdout.splitlines()
    assert summary == "4 messages, 1 greeting, 1 prompt in the store: 3 missing, 2 damaged, 1 unknown."
    assert len(lines) == 6
    for start in (
        f"missing: message {gone} of mailbox 1001 is not in the store",
        f"damaged: message {cut} of mailbox 1001 has {len(whole) - 1} bytes in place of {len(whole)}",
        f"damaged: message {bent} of mailbox 1001 has other bytes",
        f"missing: greeting {greeting_id} of mailbox 1001 is not",
        "missing: prompt ",
        f"unknown: messages/{box.id}/{stray.name}: nothing in the database names it",
    ):
        assert [line for line in lines if line.startswith(start)], start
    assert good not in result.stdout
    assert "Carla" not in result.stdout


def test_one_mailbox(any_app: Flask, box: Mailbox) -> None:
    mailboxes.create("1002", pin="4711", actor="t")
    stored(any_app)
    _, path = stored(any_app, "1002")
    path.with_name(f"{new_id()}.wav").write_bytes(b"RIFF")
    path.unlink()
    assert run(any_app, "--mailbox", "1001").stdout == "1 message in the store: all is well.\n"
    assert "1 missing, 1 unknown" in run(any_app, "--mailbox", "1002").stdout
    wrong = run(any_app, "--mailbox", "99")
    assert (wrong.exit_code, wrong.stderr) == (1, "There is no mailbox 99.\n")


def test_what_is_only_in_a_spool_is_counted_apart(any_app: Flask, box: Mailbox) -> None:
    for _ in range(2):
        leave_message(any_app, "1001", uploaded=False)
    saved(host="another-host")
    result = run(any_app)
    assert result.exit_code == 0
    host = settings().host_name
    where = ", ".join(sorted([f"{host}: 2", "another-host: 1"]))
    assert f"3 messages only in a spool as yet ({where})." in result.stdout
    lost = saved()
    result = run(any_app)
    assert result.exit_code == 1
    assert f"missing: message {lost} of mailbox 1001 is neither in the store nor in the spool" in result.stdout


def test_an_upload_between_object_and_row_leaves_nothing_unknown(any_app: Flask, box: Mailbox) -> None:
    message_id, _ = stored(any_app)
    change = update(Message).where(Message.id == message_id)
    db.session.execute(change.values(storage_key=None, spool_host="another-host"))
    db.session.commit()
    assert run(any_app).exit_code == 0


def test_what_is_purged_meanwhile_is_no_fault(any_app: Flask, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id, _ = stored(any_app)
    greetings.set_greeting("1001", encoded(tone()), actor="t")
    real = LocalStore.open

    def open_late(store: LocalStore, key: str, *rest: object) -> object:
        if "greetings" in key:
            greetings.remove_greeting("1001", actor="t")
        else:
            purge.purge(message_id)
        return real(store, key, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalStore, "open", open_late)
    assert (run(any_app).exit_code, run(any_app).stdout) == (0, "Nothing in the store: all is well.\n")


def test_what_is_put_while_it_looks_is_not_unknown(
    any_app: Flask, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    greeting = greetings.set_greeting("1001", encoded(tone()), actor="t")
    facts = {
        name: getattr(greeting, name)
        for name in ("id", "mailbox_id", "kind", "storage_key", "size", "sha256", "duration", "created_at")
    }
    db.session.delete(greeting)
    db.session.commit()

    def row_comes(seconds: float) -> None:
        db.session.execute(insert(Greeting), [facts])
        db.session.commit()

    monkeypatch.setattr(verify.time, "sleep", row_comes)
    assert run(any_app).exit_code == 0


def failing(monkeypatch: pytest.MonkeyPatch, fails: Callable[[int], bool]) -> None:
    """Let the store fail at these openings, counted from 1."""
    real, opened = LocalStore.open, 0

    def open_or_fail(store: LocalStore, key: str, *rest: object) -> object:
        nonlocal opened
        opened += 1
        if fails(opened):
            raise StoreError("connection refused", "Start it")
        return real(store, key, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalStore, "open", open_or_fail)


def test_a_store_that_goes_away_in_the_middle_is_one_line(
    any_app: Flask, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(8):
        stored(any_app)
    failing(monkeypatch, lambda number: number > 3)
    result = run(any_app)
    assert result.exit_code == 1
    assert result.stdout == "3 messages in the store: all is well. 5 were not looked at.\n"
    assert (
        result.stderr == "The store cannot be read: connection refused. Start it. This is not the whole: try again.\n"
    )


def test_one_object_that_cannot_be_read_is_that_object_s_fault(
    any_app: Flask, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        stored(any_app)
    failing(monkeypatch, lambda number: number in (1, 4, 6))
    result = run(any_app)
    assert result.exit_code == 1
    assert "6 messages in the store: 3 unreadable." in result.stdout
    assert len(re.findall("unreadable: message .* connection refused", result.stdout)) == 3


def rows_of(box_id: str, number: int) -> list[dict[str, object]]:
    """Messages that the store should have."""
    facts = {
        "mailbox_id": box_id, "received_at": utc_now(), "created_at": utc_now(), "duration": 1.0, "state": "new",
        "caller_number": "", "caller_name": "", "call_id": "", "urgent": False, "content_type": "audio/wav",
        "size": 4, "sha256": hashlib.sha256(b"RIFF").hexdigest(),
    }  # fmt: skip
    ids = [new_id() for _ in range(number)]
    return [facts | {"id": each, "storage_key": message_key(box_id, each)} for each in ids]


def test_rows_and_objects_are_read_in_pages(app: Flask, mailbox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, memory holds one page."""
    monkeypatch.setattr(verify, "PAGE", 20)
    with app.app_context():
        box_id = mailboxes.get(mailbox).id
        folder = settings().storage.folder / "objects" / "messages" / box_id
        folder.mkdir(parents=True)
        rows = rows_of(box_id, 100)
        for row in rows:
            (folder / f"{row['id']}.wav").write_bytes(b"RIFF")
        for number in range(100):
            (folder / f"strange-{number}.wav").write_bytes(b"RIFF")
        db.session.execute(insert(Message), rows)
        db.session.commit()
        statements: list[str] = []
        db.event.listen(db.engine, "before_cursor_execute", lambda *about: statements.append(about[2]))
        db.session.rollback()
        found = verify.look(None)
        assert [next(found).state for _ in range(20)] == [verify.State.GOOD] * 20
        assert len([text for text in statements if text.startswith("SELECT")]) == 1
        assert len(list(found)) == 80
        listed = 0
        real = LocalStore.list

        def counted(store: LocalStore, prefix: str = "") -> Iterator[str]:
            nonlocal listed
            for key in real(store, prefix):
                listed += 1
                yield key

        monkeypatch.setattr(LocalStore, "list", counted)
        strange = verify.unknown(None)
        assert next(strange).state is verify.State.UNKNOWN
        assert listed < 200
        assert len(list(strange)) == 99
        assert listed == 200


def storage_verify(app: Flask, **options: object) -> subprocess.Popen[bytes]:
    """The command as a person runs it."""
    environment = {
        "PATH": os.environ["PATH"],
        "VOICEMAIL_INSTANCE": str(app.extensions["settings"].instance),
        "DATABASE_URL": app.extensions["settings"].database_url,
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "storage", "verify"]
    return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def reading() -> Iterator[tuple[int, list[bytes]]]:
    """A terminal, and what came out of it so far."""
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:
                return
            shown.append(block)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield theirs, shown
    os.close(theirs)
    thread.join(5)
    os.close(ours)


def test_a_terminal_shows_how_far_it_is(app: Flask, mailbox: str, reading: tuple[int, list[bytes]]) -> None:
    terminal, shown = reading
    with app.app_context():
        for _ in range(2):
            stored(app)
        _, path = stored(app)
        path.unlink()
    process = storage_verify(app, stdout=terminal, stderr=terminal)
    assert process.wait(30) == 1
    until(lambda: b"1 missing." in b"".join(shown), 5, "the summary")
    text = b"".join(shown).decode()
    assert "3/3" in text
    assert "\nmissing: message" in text or "\x1b[2Kmissing: message" in text


def test_ctrl_c_ends_it_with_what_was_seen(app: Flask, mailbox: str) -> None:
    with app.app_context():
        # More lines than a pipe holds: it cannot be through before it is told to stop.
        db.session.execute(insert(Message), rows_of(mailboxes.get(mailbox).id, 3000))
        db.session.commit()
        (settings().storage.folder / "objects").mkdir(parents=True)
    process = storage_verify(app, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    for _ in range(5):
        assert process.stdout.readline().startswith(b"missing: message")
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    summary = said.decode().splitlines()[-1]
    seen = re.fullmatch(r"(\d+) messages in the store: (\d+) missing\. (\d+) were not looked at\.", summary)
    assert seen
    assert int(seen[1]) + int(seen[3]) == 3000
    assert errors.decode().strip() == "Stopped. This is not the whole: try again."


def test_the_test_of_a_store_whose_disk_is_not_mounted_leaves_nothing_there(any_app: Flask, box: Mailbox) -> None:
    stored(any_app)
    folder = settings().storage.folder
    folder.rename(folder.with_name("disk"))
    folder.mkdir()
    result = any_app.test_cli_runner().invoke(args=["storage", "test"])
    assert result.exit_code == 1
    assert "local: the step 'write' failed: " in result.stderr
    assert "See that its disk is mounted" in result.stderr
    assert list(folder.iterdir()) == []


def test_storage_test_says_which_step_fails(app: Flask) -> None:
    command = ["storage", "test"]
    result = app.test_cli_runner().invoke(args=command)
    assert (result.exit_code, result.stdout) == (0, "local: written, read and deleted.\n")
    folder = app.extensions["settings"].storage.folder
    shutil.rmtree(folder)
    folder.write_text("a file where a folder should be")
    result = app.test_cli_runner().invoke(args=command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "local: the step 'write' failed: " in result.stderr
    assert len(result.stderr.splitlines()) == 2
