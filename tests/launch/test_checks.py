"""What a start refuses, and the setting that its one line names."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.config import Settings, SettingsError, load_settings
from app.launch import checks, instance


def settings(tmp_path: Path, **variables: object) -> Settings:
    return load_settings(
        {"VOICEMAIL_INSTANCE": str(tmp_path)} | {name: str(value) for name, value in variables.items()}
    )


@pytest.fixture
def taken() -> Iterator[tuple[int, int]]:
    """A TCP and a UDP port that are in use."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        yield tcp.getsockname()[1], udp.getsockname()[1]


def free(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_free_ports_pass(tmp_path: Path) -> None:
    web, sip = free(socket.SOCK_STREAM), free(socket.SOCK_DGRAM)
    checks.check_ports(settings(tmp_path, WEB_PORT=web, SIP_PORT=sip, SIP_HOST="127.0.0.1"))


def test_a_taken_web_port_is_named(tmp_path: Path, taken: tuple[int, int]) -> None:
    with pytest.raises(SettingsError) as caught:
        checks.check_ports(settings(tmp_path, WEB_PORT=taken[0]))
    assert caught.value.key == "WEB_PORT"
    assert str(taken[0]) in str(caught.value)


def test_a_taken_sip_port_is_named(tmp_path: Path, taken: tuple[int, int]) -> None:
    wrong = settings(tmp_path, WEB_PORT=free(socket.SOCK_STREAM), SIP_HOST="127.0.0.1", SIP_PORT=taken[1])
    with pytest.raises(SettingsError) as caught:
        checks.check_ports(wrong)
    assert caught.value.key == "SIP_PORT"


def test_the_sip_port_does_not_matter_where_voice_is_off(tmp_path: Path, taken: tuple[int, int]) -> None:
    (tmp_path / "voicemail.toml").write_text('[proxy]\naddons = ["other"]\n')
    web = free(socket.SOCK_STREAM)
    checks.check_ports(settings(tmp_path, WEB_PORT=web, SIP_HOST="127.0.0.1", SIP_PORT=taken[1]))


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine_is_named(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checks.check_ports(settings(tmp_path, WEB_HOST=host, WEB_PORT=free(socket.SOCK_STREAM)))
    assert caught.value.key == "WEB_HOST"


def test_sqlite_in_the_instance_passes(tmp_path: Path) -> None:
    checks.check_database(settings(tmp_path))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://caller:s3cret@127.0.0.1:{port}/voicemail",
        "mysql://caller:s3cret@127.0.0.1:{port}/voicemail",
        "mariadb://caller:s3cret@127.0.0.1:{port}/voicemail",
        "sqlite:////nowhere/at/all/voicemail.db",
        "oracle9://caller:s3cret@127.0.0.1/x",
        "caller:s3cret",
        "postgresql+pg8000://caller:s3cret@127.0.0.1:{port}/voicemail",
    ],
)
def test_a_database_that_is_away_is_one_line_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checks.check_database(settings(tmp_path, DATABASE_URL=url.format(port=free(socket.SOCK_STREAM))))
    assert caught.value.key == "DATABASE_URL"
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_password_in_the_options_is_not_shown() -> None:
    url = make_url("postgresql://host/voicemail?password=s3cret")
    assert checks.describe(url) == "postgresql://host/voicemail"


def test_a_database_that_says_the_password_is_not_repeated() -> None:
    url = make_url("postgresql://caller:s3cret@host/voicemail")
    assert checks.reason_of(OSError("no log-in with s3cret\nand more"), url) == "no log-in with ***"


def test_without_redis_url_no_server_is_asked(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    assert checks.uses_embedded_valkey(mine)
    checks.check_redis(mine)


@pytest.mark.parametrize(
    "url", ["redis://:s3cret@127.0.0.1:{port}/0", "http://s3cret@127.0.0.1:{port}", "unix:///no/socket"]
)
def test_a_redis_that_is_away_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checks.check_redis(settings(tmp_path, REDIS_URL=url.format(port=free(socket.SOCK_STREAM))))
    assert caught.value.key == "REDIS_URL"
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_one_start_an_instance(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    instance.make_folders(mine)
    held = instance.lock(mine)
    with pytest.raises(instance.AlreadyRuns, match=str(os.getpid())):
        instance.lock(mine)
    os.close(held)
    os.close(instance.lock(mine))


def test_folders_are_private(tmp_path: Path) -> None:
    mine = settings(tmp_path / "new")
    instance.make_folders(mine)
    for folder in (mine.instance, mine.spool_dir, instance.log_folder(mine)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
