"""`python -m app.launch.web`: the portal under gunicorn, with host, port and threads from the settings."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from app.config import Settings, SettingsError, load_settings
from app.hosts import bracketed


def gunicorn(settings: Settings) -> list[str]:
    """gunicorn's command: one process with threads, so that rates and metrics are counted in one place."""
    return [
        sys.executable, "-m", "gunicorn", "wsgi:app",
        "--bind", f"{bracketed(settings.web.host)}:{settings.web.port}",
        "--worker-class", "app.launch.slow_clients.HurryingWorker",
        "--workers", "1",
        "--threads", str(settings.web.threads),
        "--graceful-timeout", "2",
        "--no-control-socket",
        "--log-level", "warning",
    ]  # fmt: skip


def main() -> NoReturn:
    """Become gunicorn; exit code 2 where a setting is wrong."""
    try:
        command = gunicorn(load_settings())
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    os.execv(command[0], command)  # noqa: S606 - there is no shell in between


if __name__ == "__main__":
    main()
