"""Fixtures of the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.storage.servers import Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """servers("moto") and so on: the settings of a store whose server runs until the tests end."""
    found = Servers()
    yield found
    found.stop()
