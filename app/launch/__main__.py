"""`python -m app.launch`: what `make run` runs. `python -m app.launch prepare` only prepares the instance."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from app import secret_key
from app.config import Settings, SettingsError, load_settings
from app.launch import checks, instance
from app.launch.terminal import Terminal
from app.migrate import MigrationError, upgrade

WRONG_SETTING = 2
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run until Ctrl-C; 0 after a clean stop, 2 where a setting is wrong, 1 where something else is in the way."""
    parser = argparse.ArgumentParser(prog="python -m app.launch", description="Starts Voicemail Pro and stays.")
    parser.add_argument("what", nargs="?", choices=("run", "prepare"), default="run", help="prepare: folders, "
                        "secret key and tables only, for a service manager")  # fmt: skip
    what = parser.parse_args(arguments).what
    terminal = Terminal()
    # What an instance holds is private.
    os.umask(0o077)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return _prepare(terminal) if what == "prepare" else _run(terminal)
    except SettingsError as error:
        terminal.complain(str(error))
        return WRONG_SETTING
    except instance.AlreadyRuns as error:
        terminal.complain(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.complain("Stopped before everything was started.")
        return INTERRUPTED


def _prepare(terminal: Terminal) -> int:
    settings = _settings(terminal)
    _migrate(settings)
    return 0


def _run(terminal: Terminal) -> int:
    settings = _settings(terminal)
    held = instance.lock(settings)
    checks.check_ports(settings)
    checks.check_redis(settings)
    _migrate(settings)
    from app.launch.run import run

    return run(settings, terminal, held)


def _settings(terminal: Terminal) -> Settings:
    settings = load_settings()
    for warning in settings.warnings:
        terminal.complain(f"warning: {warning}")
    try:
        instance.make_folders(settings)
    except OSError as error:
        raise SettingsError("VOICEMAIL_INSTANCE", f"{error.filename} cannot be made: {error.strerror}") from None
    checks.check_writable(settings)
    return settings


def _migrate(settings: Settings) -> None:
    """Make the key that signs sessions and bring the tables up to date; SettingsError where that is not possible."""
    checks.check_database(settings)
    secret_key.ensure(settings)
    try:
        upgrade(settings)
    except CommandError:
        reason = "the tables are of a newer version of Voicemail Pro; use that version, or a backup from before it"
    except MigrationError as error:
        reason = str(error)
    except SQLAlchemyError as error:
        said = (str(getattr(error, "orig", None) or error).splitlines() or [""])[0]
        reason = f"the tables cannot be brought up to date: {said}"
    else:
        return
    raise SettingsError("DATABASE_URL", reason)


if __name__ == "__main__":
    sys.exit(main())
