"""A mail server and an authority that the tests of e-mail share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.delivery.mail_server import Authority, Handler, serving


@pytest.fixture
def mail_server() -> Iterator[tuple[Handler, int]]:
    """A server that takes every mail, without TLS; its handler and its port."""
    with serving(enable_SMTPUTF8=False) as served:
        yield served


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))
