"""The terminal shows errors of the logs, and nothing else of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.launch.log_watch import Follower, LogWatch, printable


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def watch(tmp_path: Path, now: list[float]) -> LogWatch:
    (tmp_path / "voice.log").write_text("2026-01-01T00:00:00.000Z ERROR voice voice.worker of an earlier start\n")
    return LogWatch(tmp_path, ["voice", "web"], clock=lambda: now[0])


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_an_error_is_shown_with_its_process(watch: LogWatch, tmp_path: Path) -> None:
    append(tmp_path / "voice.log", "2026-01-01T00:00:00.000Z INFO voice voice.worker ready\n")
    append(tmp_path / "voice.log", "2026-01-01T00:00:00.000Z ERROR voice voice.worker call=1 failed\n")
    append(tmp_path / "web.log", "[2026-01-01 00:00:00 +0000] [12] [ERROR] Connection in use\n")
    assert watch.news() == ["voice: voice.worker call=1 failed", "web: Connection in use"]
    assert watch.news() == []


def test_the_word_alone_is_no_error(watch: LogWatch, tmp_path: Path) -> None:
    append(tmp_path / "voice.log", '2026-01-01T00:00:00.000Z INFO voice voice.worker caller="ERROR voice x"\n')
    assert watch.news() == []


def test_a_line_is_shown_when_it_is_whole(watch: LogWatch, tmp_path: Path) -> None:
    append(tmp_path / "voice.log", "2026-01-01T00:00:00.000Z CRITICAL voice voice.worker free ")
    assert watch.news() == []
    append(tmp_path / "voice.log", "disk 5 bytes\n")
    assert watch.news() == ["voice: voice.worker free disk 5 bytes"]


def test_a_process_that_ended_is_shown_with_its_last_words(watch: LogWatch, tmp_path: Path) -> None:
    append(tmp_path / "voice.log", "Traceback (most recent call last):\n  File x\nImportError: no sounds\n")
    append(tmp_path / "supervisor.log", "2026-01-01 00:00:00,1 WARN exited: voice (exit status 1; not expected)\n")
    [line] = watch.news()
    assert line.startswith("voice: ended (exit status 1)")
    assert "ImportError: no sounds" in line


def test_what_repeats_is_told_once_a_minute(watch: LogWatch, tmp_path: Path, now: list[float]) -> None:
    line = "2026-01-01T00:00:00.000Z ERROR voice voice.keeper_client it is started again in {} s\n"
    append(tmp_path / "voice.log", line.format(0.2))
    append(tmp_path / "voice.log", line.format(0.4))
    assert len(watch.news()) == 1
    append(tmp_path / "voice.log", line.format(0.8))
    assert watch.news() == []
    now[0] += 60
    append(tmp_path / "voice.log", line.format(1.6))
    assert len(watch.news()) == 1


def test_a_file_that_was_rotated_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("one\n")
    follower = Follower.from_end(path)
    path.rename(tmp_path / "web.log.1")
    path.write_text("two\nthree\n")
    assert follower.lines() == ["two", "three"]


def test_a_file_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    assert Follower.from_end(tmp_path / "none.log").lines() == []


def test_a_log_cannot_steer_the_terminal() -> None:
    assert printable("\x1b[2J red\r") == "\\x1b[2J red\\r"
    assert len(printable("x" * 10_000)) == 500
