"""The engines that are here: SVOX Pico with the product, Kokoro where it was installed."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from app.config import Settings
from voice.synthesis.engine import Engine
from voice.synthesis.installed import is_installed
from voice.synthesis.processes import EnginePool
from voice.synthesis.voices import KOKORO, PICO

# Seconds for one sentence on a busy machine; SVOX Pico needs 0.1 s for the longest, Kokoro as long as it lasts.
PICO_SECONDS, KOKORO_SECONDS = 8.0, 25.0


class Engines:
    """Those of a host. Safe from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._instance, self._preferred = settings.instance, settings.programmable.speech_engine
        self._pools: dict[str, EnginePool] = {}
        self._lock = threading.Lock()

    def here(self) -> Mapping[str, Engine]:
        """The engines by name, the preferred one first; one that was installed a moment ago is among them."""
        with self._lock:
            return {name: self._pool(name) for name in engine_names(self._instance, self._preferred)}

    def close(self) -> None:
        """End their processes."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()

    def _pool(self, name: str) -> EnginePool:
        if name not in self._pools:
            command = [sys.executable, "-B", "-m", "voice.synthesis.server", name]
            if name == PICO:
                self._pools[name] = EnginePool(name, command, min(2, os.cpu_count() or 1), PICO_SECONDS)
            else:
                folder = str(folder_in(self._instance))
                self._pools[name] = EnginePool(name, [*command, folder], 1, KOKORO_SECONDS)
        return self._pools[name]


def engine_names(instance: Path, preferred: str) -> list[str]:
    """Names of the engines that are installed, the preferred one first."""
    names = [PICO] if importlib.util.find_spec("py_nanotts") else []
    if is_installed(folder_in(instance)):
        names.append(KOKORO)
    return sorted(names, key=lambda name: name != preferred)


def folder_in(instance: Path) -> Path:
    """Where Kokoro is installed."""
    return instance / "speech"
