"""What lies in the folder of Kokoro-82M once it is installed (install.py)."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("kokoro.txt")
PACKAGES, VOICE_FOLDER, MODEL, VOCABULARY = "packages", "voices", "kokoro-v1.0.int8.onnx", "vocab.json"
STAMP = "installed.json"


def is_installed(folder: Path) -> bool:
    """Whether the folder was filled, for this version of Python."""
    return _stamp_of(folder).get("python") == _python()


def is_current(folder: Path) -> bool:
    """Whether it also has the packages of this version of the product."""
    return is_installed(folder) and _stamp_of(folder).get("packages") == _requirements_hash()


def size_of(folder: Path) -> int:
    """Bytes of all files in it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_stamp(folder: Path) -> None:
    """Say that the folder is filled, by which packages and for which Python."""
    facts = {"python": _python(), "packages": _requirements_hash()}
    (folder / STAMP).write_text(json.dumps(facts) + "\n", encoding="utf-8")


def _stamp_of(folder: Path) -> dict[str, str]:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _python() -> str:
    return sys.implementation.cache_tag or ""


def _requirements_hash() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
