"""Which languages are spoken here, or Kokoro installed: `python -m voice.synthesis [install]` (`make speech`).

Without a word it prints a line of JSON, which `flask doctor` reads: {"languages": {"en": "pico", ...}, "stale": false}.
"""

from __future__ import annotations

import json
import sys

from app.config import load_settings
from voice.synthesis.choice import languages
from voice.synthesis.engines import engine_names, folder_of
from voice.synthesis.installed import is_installed


def main(arguments: list[str]) -> int:
    """Do it; 1 where Kokoro could not be installed."""
    settings = load_settings()
    folder = folder_of(settings)
    if arguments == ["install"]:
        from voice.synthesis.install import NotInstalled, install

        try:
            install(folder, _say)
        except (NotInstalled, OSError) as error:
            sys.stderr.write(f"Kokoro was not installed. {error}\n")
            return 1
        return 0
    stale = folder.is_dir() and not is_installed(folder)
    _say(json.dumps({"languages": languages(engine_names(settings)), "stale": stale}))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
