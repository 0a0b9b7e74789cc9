"""A programmed call for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.twiml.programme import Programme
from voice.media.recorder import SpoolWriter


@pytest.fixture(scope="session")
def writer() -> Iterator[SpoolWriter]:
    """Threads that write recordings."""
    writer = SpoolWriter(2)
    writer.start()
    yield writer
    writer.stop()


@pytest.fixture
def programme(tmp_path: Path, writer: SpoolWriter) -> Iterator[Programme]:
    """A number with a server of its own."""
    programme = Programme(tmp_path / "instance", writer)
    yield programme
    programme.close()
