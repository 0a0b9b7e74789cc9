"""Engines that crash, hang, refuse: what their callers are told, and that the next sentence is spoken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.config import PROJECT_ROOT
from tests.support import until
from voice.synthesis.engine import EngineDied, EngineFailed
from voice.synthesis.processes import EnginePool
from voice.synthesis.voices import PICO, VOICES

VOICE = VOICES[0]
PATIENCE = 60.0
Opener = Callable[..., EnginePool]

pytestmark = pytest.mark.slow


@pytest.fixture
def open_pool(tmp_path: Path) -> Iterator[Opener]:
    pools: list[EnginePool] = []

    def open_it(size: int = 1, seconds: float = PATIENCE) -> EnginePool:
        command = [sys.executable, "-B", "-m", "tests.synthesis.faulty_engine", str(tmp_path / "log")]
        pools.append(EnginePool(PICO, command, size, seconds))
        return pools[-1]

    yield open_it
    for pool in pools:
        pool.close()


def processes(tmp_path: Path) -> list[int]:
    """The engine's processes that run now."""
    found = subprocess.run(
        ["pgrep", "-f", f"faulty_engine {tmp_path}/log"], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def test_a_crash_ends_one_sentence(open_pool: Opener) -> None:
    pool = open_pool()
    assert pool.synthesise("Hello", VOICE).pcm16
    with pytest.raises(EngineDied, match=r"The engine pico crashed \(SIGABRT\)\."):
        pool.synthesise("crash", VOICE)
    assert pool.synthesise("Hello", VOICE).pcm16


@pytest.mark.parametrize(("text", "told"), [("refuse", "I do not say that."), ("bug", "ZeroDivisionError: by a bug")])
def test_a_failure_does_not_end_the_process(open_pool: Opener, tmp_path: Path, text: str, told: str) -> None:
    pool = open_pool()
    assert pool.synthesise("Hello", VOICE).pcm16
    before = processes(tmp_path)
    with pytest.raises(EngineFailed, match=told):
        pool.synthesise(text, VOICE)
    assert pool.synthesise("Hello", VOICE).pcm16
    assert processes(tmp_path) == before


def test_a_hang_ends_with_its_time(open_pool: Opener, tmp_path: Path) -> None:
    pool = open_pool(seconds=2.0)
    with pytest.raises(EngineDied, match="took more than 2 s"):
        pool.synthesise("hang", VOICE)
    until(lambda: not processes(tmp_path), PATIENCE, "the process that hung is gone")


def test_a_hang_of_one_holds_up_no_other(open_pool: Opener, tmp_path: Path) -> None:
    pool = open_pool(size=2)
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(pool.synthesise, "hang", VOICE)
        until(lambda: "hang" in (tmp_path / "log").read_text() if (tmp_path / "log").exists() else False, PATIENCE)
        assert pool.synthesise("Hello", VOICE).pcm16
        pool.close()
        with pytest.raises(EngineDied, match=r"crashed \(SIGKILL\)"):
            hanging.result(PATIENCE)


def test_a_process_that_was_killed_while_idle_is_replaced(open_pool: Opener, tmp_path: Path) -> None:
    pool = open_pool()
    assert pool.synthesise("Hello", VOICE).pcm16
    for process in processes(tmp_path):
        os.kill(process, signal.SIGKILL)
    until(lambda: not processes(tmp_path), PATIENCE)
    assert pool.synthesise("Hello", VOICE).pcm16


def test_many_at_once_get_each_their_own(open_pool: Opener, tmp_path: Path) -> None:
    pool = open_pool(size=2)
    texts = ["a" * length for length in range(1, 41)]
    with ThreadPoolExecutor(20) as threads:
        sizes = list(threads.map(lambda text: len(pool.synthesise(text, VOICE).pcm16), texts))
    assert sizes == [length * 16000 // 20 * 2 for length in range(1, 41)]
    assert len(processes(tmp_path)) <= 2


def test_no_process_after_the_end(open_pool: Opener, tmp_path: Path) -> None:
    pool = open_pool()
    assert pool.synthesise("Hello", VOICE).pcm16
    pool.close()
    until(lambda: not processes(tmp_path), PATIENCE)
    with pytest.raises(EngineFailed, match=r"The engine pico is closed\."):
        pool.synthesise("Hello", VOICE)


def test_no_process_survives_who_started_it(tmp_path: Path) -> None:
    """Killed without a word, even in the midst of a sentence that hangs."""
    code = (
        "import sys; from voice.synthesis.processes import EnginePool; from voice.synthesis.voices import VOICES\n"
        "command = [sys.executable, '-B', '-m', 'tests.synthesis.faulty_engine', sys.argv[1]]\n"
        "EnginePool('pico', command, 1, 5.0).synthesise('hang', VOICES[0])\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], cwd=PROJECT_ROOT)
    until((tmp_path / "log").exists, PATIENCE)
    parent.kill()
    parent.wait()
    until(lambda: not processes(tmp_path), PATIENCE, "the engine is gone")


def test_what_cannot_be_started() -> None:
    with pytest.raises(EngineFailed, match="cannot be started: No such file"):
        EnginePool(PICO, ["/nowhere/python"], 1, 1.0).synthesise("Hello", VOICE)


def test_what_starts_and_is_no_engine() -> None:
    with pytest.raises(EngineDied, match=r"The engine pico ended \(code 0\)"):
        EnginePool(PICO, ["/bin/true"], 1, PATIENCE).synthesise("Hello", VOICE)
    with pytest.raises(EngineDied, match="The engine pico"):
        EnginePool(PICO, ["/bin/echo", "no json"], 1, PATIENCE).synthesise("Hello", VOICE)
