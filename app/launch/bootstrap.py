"""Makes the virtual environment of `make run` and `make test`; run by the system's Python, standard library only.

Usage: bootstrap.py FOLDER REQUIREMENTS. What was installed is remembered by the hash of the requirements,
so a second start needs neither time nor network.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main(folder: Path, requirements: Path) -> int:
    """Bring FOLDER to what REQUIREMENTS asks for; 0, or 1 after one line that says what is missing."""
    python = folder / "bin" / "python"
    stamp = folder / f".{requirements.stem}.sha256"
    wanted = _wanted(requirements)
    if _works(python) and stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return 0
    if not _works(python) and not _make(folder):
        return 1
    print(
        f"Installing the packages of {requirements.name} into {folder.name} (only once; about a minute) ...", flush=True
    )
    stamp.unlink(missing_ok=True)
    try:
        status = subprocess.run(_pip(python, requirements), check=False).returncode
    except KeyboardInterrupt:
        status = 130
    if status:
        print(
            f"The packages could not be installed (pip ended with code {status}, see above); start again to go on.",
            file=sys.stderr,
        )
        return 1
    stamp.write_text(wanted, encoding="ascii")
    return 0


def _pip(python: Path, requirements: Path) -> list[str]:
    # A user's own target folder would lead pip astray; a root user's warning would be of no use here.
    drop = ("PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH")
    cleaned = ["env", *(part for name in drop for part in ("-u", name)), "PIP_ROOT_USER_ACTION=ignore"]
    options = ["--quiet", "--quiet", "--no-input", "--disable-pip-version-check", "--prefer-binary"]
    return [*cleaned, str(python), "-m", "pip", "install", *options, "--requirement", str(requirements)]


def _wanted(requirements: Path) -> str:
    digest = hashlib.sha256()
    for name in ("constraints.txt", "requirements.txt", requirements.name):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _works(python: Path) -> bool:
    # A Python that was upgraded or removed leaves a .venv that does not start; another one may be asked for.
    if not python.exists():
        return False
    version = sys.version_info[:2]
    check = f"import pip, sys; sys.exit(sys.version_info[:2] != {version})"
    return subprocess.run([str(python), "-c", check], capture_output=True, check=False).returncode == 0


def _make(folder: Path) -> bool:
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        advice = f"install {package} (Debian, Ubuntu: apt install {package})"
        print(f"{sys.executable} cannot make a virtual environment: {advice}", file=sys.stderr)
        return False
    print(f"Making {folder.name} with Python {sys.version.split()[0]} ({sys.executable}) ...", flush=True)
    try:
        venv.create(folder, clear=True, with_pip=True, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{folder} cannot be made: {error}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(ROOT / sys.argv[1], ROOT / sys.argv[2]))
