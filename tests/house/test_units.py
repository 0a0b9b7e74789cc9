"""The systemd units start modules that exist, with settings that are known."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings, load_settings
from app.settings_schema import schema_of
from tests.support import missing

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
HARDENED = ("NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "UMask=0077")


def names(units: list[Path]) -> list[str]:
    return [unit.name for unit in units]


def test_there_is_a_unit_a_process() -> None:
    assert {f"voicemail-{name}.service" for name in ("migrate", "web", "voice", "jobs", "relay")} == set(names(UNITS))


def test_the_target_wants_every_unit() -> None:
    wants = re.search(r"^Wants=(.+)$", (DEPLOY / "voicemail.target").read_text(), re.MULTILINE)
    assert wants
    assert sorted(wants[1].split()) == names(UNITS)


@pytest.mark.parametrize("unit", UNITS, ids=names(UNITS))
def test_what_it_starts_exists(unit: Path) -> None:
    start = re.search(r"^ExecStart=/opt/voicemail/\.venv/bin/python -m (\S+)", unit.read_text(), re.MULTILINE)
    assert start
    module = start[1]
    spec = importlib.util.find_spec(module)
    assert spec
    if spec.submodule_search_locations:
        assert importlib.util.find_spec(f"{module}.__main__")


@pytest.mark.parametrize("unit", UNITS, ids=names(UNITS))
def test_it_is_hardened(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert [line for line in HARDENED if line not in lines] == []


@pytest.mark.parametrize("unit", UNITS, ids=names(UNITS))
def test_what_counts_by_the_clock_waits_for_it(unit: Path) -> None:
    """And calls wait for no time server. None pulls the target in: that is for whoever sets the clock."""
    found = re.findall(r"^(\w+)=.*\btime-sync\.target\b", unit.read_text(), re.MULTILINE)
    assert found == (["After"] if unit.name in ("voicemail-jobs.service", "voicemail-relay.service") else [])


def test_a_stop_waits_for_the_calls_of_the_voice_worker(tmp_path: Path) -> None:
    unit = (DEPLOY / "voicemail-voice.service").read_text()
    limit = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert limit
    # After them come BYEs, the last takes, and the keeper's commits.
    assert int(limit[1]) >= load_settings({"VOICEMAIL_INSTANCE": str(tmp_path)}).sip.drain_timeout + 20


@pytest.mark.parametrize("unit", UNITS, ids=names(UNITS))
def test_systemd_accepts_it(unit: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        missing("systemd-analyze is not installed")
    # Here the code is elsewhere; systemd wants to see an executable.
    for each in UNITS:
        text = each.read_text().replace("/opt/voicemail/.venv/bin/python", sys.executable)
        (tmp_path / each.name).write_text(text)
    command = ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", str(tmp_path / unit.name)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in result.stderr.splitlines() if unit.name in line]
    assert (result.returncode, complaints) == (0, []), result.stderr


def test_the_example_settings_are_known_and_valid(tmp_path: Path) -> None:
    lines = [line.removeprefix("#") for line in (DEPLOY / "voicemail.env").read_text().splitlines()]
    given = dict(line.split("=", 1) for line in lines if re.match(r"^[A-Z_]+=", line))
    known = {variable for key in schema_of(Settings).values() for variable in key.variables}
    assert set(given) - known == {"VOICEMAIL_INSTANCE"}
    settings = load_settings({**given, "VOICEMAIL_INSTANCE": str(tmp_path)})
    assert settings.warnings == ()
    assert settings.web.trusted_proxies == 1
