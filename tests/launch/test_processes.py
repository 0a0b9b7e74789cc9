"""What supervisor is told to run."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from supervisor.datatypes import dict_of_key_value_pairs

from app.config import Settings, load_settings
from app.launch import processes
from app.launch.instance import make_folders

PROMISED_STOP_SECONDS = 5


def groups(tmp_path: Path, **variables: str) -> list[processes.Group]:
    return processes.groups(load_settings({"VOICEMAIL_INSTANCE": str(tmp_path), **variables}))


def supervisor_file(settings: Settings) -> configparser.RawConfigParser:
    file = configparser.RawConfigParser()
    file.read(processes.write_supervisor_file(settings, processes.groups(settings)))
    return file


def told_to_processes(tmp_path: Path, file: configparser.RawConfigParser) -> Settings:
    """The settings of a process that supervisor starts, as supervisor itself reads its file."""
    environment = dict_of_key_value_pairs(file["supervisord"]["environment"])
    return load_settings({"VOICEMAIL_INSTANCE": str(tmp_path), **environment})


def test_valkey_starts_first_and_stops_last(tmp_path: Path) -> None:
    by_priority = sorted(groups(tmp_path), key=lambda group: group.priority)
    names = [[program.name for program in group.programs] for group in by_priority]
    assert names == [["valkey"], ["web", "voice", "jobs", "relay"]]


def test_valkey_has_no_port_and_keeps_everything(tmp_path: Path) -> None:
    valkey = processes.valkey(load_settings({"VOICEMAIL_INSTANCE": str(tmp_path)}))
    options = dict(zip(valkey.command[1::2], valkey.command[2::2], strict=True))
    assert options["--port"] == "0"
    assert options["--unixsocketperm"] == "700"
    assert options["--appendonly"] == "yes"
    assert Path(options["--dir"]) == tmp_path / "valkey"
    assert Path(valkey.command[0]).is_file()


def test_a_redis_that_is_named_is_used_instead(tmp_path: Path) -> None:
    [only] = groups(tmp_path, REDIS_URL="redis://127.0.0.1:6379/0")
    assert "valkey" not in [program.name for program in only.programs]


def test_the_limits_of_a_stop_add_up_to_the_promise(tmp_path: Path) -> None:
    # Groups end one after another, the programs of a group side by side; each is killed at its limit.
    limits = [max(program.stop_seconds for program in group.programs) for group in groups(tmp_path)]
    assert sum(limits) <= PROMISED_STOP_SECONDS


def test_calls_get_the_time_that_the_settings_give(tmp_path: Path) -> None:
    [voice] = [
        program
        for group in groups(tmp_path, VOICEMAIL__SIP__DRAIN_TIMEOUT="60")
        for program in group.programs
        if program.name == "voice"
    ]
    assert voice.stop_seconds > 60


@pytest.mark.parametrize(("given", "seconds"), [({}, 3), ({"VOICEMAIL__SIP__DRAIN_TIMEOUT": "60"}, 60)])
def test_whoever_waits_for_the_end_waits_less_than_a_server(
    tmp_path: Path, given: dict[str, str], seconds: int
) -> None:
    settings = load_settings({"VOICEMAIL_INSTANCE": str(tmp_path), **given})
    make_folders(settings)
    file = supervisor_file(settings)
    assert told_to_processes(tmp_path, file).sip.drain_timeout == seconds
    assert int(file["program:voice"]["stopwaitsecs"]) > seconds


@pytest.mark.parametrize(
    ("given", "networks"),
    [
        ({}, ("127.0.0.0/8", "::1/128")),
        ({"VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS": "10.0.0.0/8"}, ("10.0.0.0/8",)),
        ({"VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS": "10.0.0.0/8,127.0.0.1/32"}, ("10.0.0.0/8", "127.0.0.1/32")),
    ],
)
def test_programs_of_calls_may_be_on_this_host_unless_the_operator_says_otherwise(
    tmp_path: Path, given: dict[str, str], networks: tuple[str, ...]
) -> None:
    settings = load_settings({"VOICEMAIL_INSTANCE": str(tmp_path), **given})
    make_folders(settings)
    told = told_to_processes(tmp_path, supervisor_file(settings))
    assert told.programmable.allowed_networks == networks


def test_no_network_at_all_is_the_operators_word_too(tmp_path: Path) -> None:
    toml = tmp_path / "voicemail.toml"
    toml.write_text("[voicemail.programmable]\nallowed_networks = []\n", encoding="utf-8")
    settings = load_settings({"VOICEMAIL_INSTANCE": str(tmp_path)})
    make_folders(settings)
    told = told_to_processes(tmp_path, supervisor_file(settings))
    assert told.programmable.allowed_networks == ()


def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    secrets = {"SECRET_KEY": "s3cret-key", "VOICEMAIL_ADMIN_PASSWORD": "s3cret-password"}
    url = {"DATABASE_URL": "postgresql://caller:s3cret-base@host/x", "REDIS_URL": "redis://:s3cret-redis@host/0"}
    settings = load_settings({"VOICEMAIL_INSTANCE": str(tmp_path), **secrets, **url})
    make_folders(settings)
    file = processes.write_supervisor_file(settings, processes.groups(settings))
    assert "s3cret" not in file.read_text()
