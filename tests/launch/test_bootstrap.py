"""The virtual environment of make run: made once, made anew when what it should hold has changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose requirements are empty, so that nothing is asked of the network."""
    folder = tmp_path / "a project"
    (folder / "app" / "launch").mkdir(parents=True)
    shutil.copy(ROOT / "app" / "launch" / "bootstrap.py", folder / "app" / "launch")
    for name in ("requirements.txt", "constraints.txt"):
        (folder / name).write_text("# nothing\n")
    return folder


def bootstrap(project: Path) -> subprocess.CompletedProcess[str]:
    script = str(project / "app" / "launch" / "bootstrap.py")
    return subprocess.run(
        [sys.executable, script, ".venv", "requirements.txt"], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_second_start_is_quiet_and_a_change_is_noticed(project: Path) -> None:
    first = bootstrap(project)
    assert first.returncode == 0, first.stderr
    assert "Making .venv" in first.stdout
    assert (project / ".venv" / "bin" / "python").exists()

    second = bootstrap(project)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")

    (project / "constraints.txt").write_text("# another\n")
    third = bootstrap(project)
    assert third.returncode == 0
    assert "Installing" in third.stdout
    assert "Making" not in third.stdout

    # A Python that was removed under it.
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert "Making .venv" in bootstrap(project).stdout
    assert bootstrap(project).stdout == ""


@pytest.mark.slow
def test_a_package_that_cannot_be_had_is_said_and_tried_again(project: Path) -> None:
    (project / "requirements.txt").write_text("./no-such-folder\n")
    failed = bootstrap(project)
    assert failed.returncode == 1
    assert "could not be installed" in failed.stderr
    assert "Traceback" not in failed.stderr
    (project / "requirements.txt").write_text("# nothing\n")
    assert bootstrap(project).returncode == 0
