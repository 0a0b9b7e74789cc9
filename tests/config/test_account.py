"""The account of programmed calls is made once, kept for its owner alone, and its token can be changed."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from flask import Flask

from app import account
from app.config import SettingsError
from app.errors import Invalid, Unavailable
from app.extensions import db
from app.models import Audit
from app.services import account as service
from tests.support import make_settings

GIVEN = {
    "VOICEMAIL__PROGRAMMABLE__ACCOUNT_SID": "AC" + "0" * 32,
    "VOICEMAIL__PROGRAMMABLE__AUTH_TOKEN": "given by the test",
}


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    made = account.account_of(settings)
    assert re.fullmatch(r"AC[0-9a-f]{32}", made.sid)
    assert re.fullmatch(r"[0-9a-f]{32}", made.token)
    assert account.account_of(make_settings(tmp_path)) == made
    assert stat.S_IMODE(settings.auth_token_file.stat().st_mode) == 0o600
    assert made.token not in repr(made)


def test_another_token_is_there_at_once(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    before = account.account_of(settings)
    after = account.rotate(settings)
    assert (after.sid, after.token != before.token) == (before.sid, True)
    assert account.account_of(settings) == after
    assert stat.S_IMODE(settings.auth_token_file.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"account_sid", "auth_token"}


def test_a_folder_that_takes_nothing(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "instance")
    (tmp_path / "instance").write_text("no folder")
    for act in (account.account_of, account.rotate):
        with pytest.raises(SettingsError, match=r"programmable\."):
            act(settings)


def test_one_that_is_given_is_not_written_down(tmp_path: Path) -> None:
    given = account.account_of(make_settings(tmp_path, **GIVEN))
    assert (given.sid, given.token) == ("AC" + "0" * 32, "given by the test")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sid", ["x", "AC", "AC" + "0" * 31, "AC" + "G" * 32, "AC" + "A" * 32])
def test_a_wrong_sid_is_a_wrong_setting(tmp_path: Path, sid: str) -> None:
    with pytest.raises(SettingsError, match="32 hexadecimal digits"):
        account.account_of(make_settings(tmp_path, VOICEMAIL__PROGRAMMABLE__ACCOUNT_SID=sid))


def test_who_looked_and_who_changed_is_noted_without_the_token(app: Flask) -> None:
    with app.app_context():
        shown = service.reveal(actor="anna")
        changed = service.rotate(actor="bert")
        assert service.sid() == shown.sid == changed.sid
        lines = [(line.actor, line.action, line.object_id, line.detail) for line in db.session.query(Audit)]
        assert lines == [("anna", "account.token", shown.sid, ""), ("bert", "account.rotate", shown.sid, "")]


def test_one_of_the_settings_is_changed_there(app: Flask) -> None:
    app.extensions["settings"] = make_settings(app.extensions["settings"].instance, **GIVEN)
    with app.app_context():
        assert service.is_fixed()
        with pytest.raises(Invalid, match="change it there"):
            service.rotate(actor="anna")


def test_one_that_cannot_be_read_is_said(app: Flask) -> None:
    app.extensions["settings"].auth_token_file.write_text("")
    with app.app_context():
        for act in (service.sid, lambda: service.reveal(actor="a"), lambda: service.rotate(actor="a")):
            with pytest.raises(Unavailable, match="is empty"):
                act()
