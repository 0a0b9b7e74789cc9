"""Kokoro installed: `python -m voice.synthesis install` (`make speech`), or which languages are spoken.

`python -m voice.synthesis languages INSTANCE ENGINE` prints a line of JSON, which `flask doctor` reads:
{"languages": {"en": "pico", ...}, "stale": false}. ENGINE is the preferred one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from app.config import load_settings
from voice.synthesis.choice import languages
from voice.synthesis.engines import engine_names, folder_in
from voice.synthesis.install import NotInstalled, install
from voice.synthesis.installed import is_current


def main(arguments: list[str]) -> int:
    """Do it; 1 where Kokoro could not be installed, 2 for other words."""
    if arguments == ["install"]:
        return _install()
    if len(arguments) != 3 or arguments[0] != "languages":
        sys.stderr.write(f"{__doc__}")
        return 2
    instance, preferred = Path(arguments[1]), arguments[2]
    folder = folder_in(instance)
    stale = folder.is_dir() and not is_current(folder)
    _say(json.dumps({"languages": languages(engine_names(instance, preferred)), "stale": stale}))
    return 0


def _install() -> int:
    try:
        install(folder_in(load_settings().instance), _say)
    except (NotInstalled, OSError, ValueError) as error:
        sys.stderr.write(f"Kokoro was not installed. {error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
