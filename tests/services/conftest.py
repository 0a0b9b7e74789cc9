"""Mailboxes that services work on."""

from __future__ import annotations

import pytest
from flask import Flask

from app.models import Mailbox
from app.services import mailboxes


@pytest.fixture
def box(any_app: Flask) -> Mailbox:
    """Mailbox 1001, on each kind of database in turn."""
    return mailboxes.create("1001", pin="4711", name="Anna Example", actor="test")
