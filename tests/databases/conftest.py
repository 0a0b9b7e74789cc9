"""Empty databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from tests.servers import KINDS, fresh_database
from tests.support import make_settings


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings whose database is empty, of each kind in turn."""
    if request.param == "sqlite":
        yield make_settings(tmp_path / "instance")
        return
    with fresh_database(request.param) as url:
        yield make_settings(tmp_path / "instance", DATABASE_URL=url)
