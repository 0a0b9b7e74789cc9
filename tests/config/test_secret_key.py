"""The key that signs sessions is made once, whoever starts first, and only its owner may read it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from app import secret_key
from app.config import SettingsError
from tests.support import make_settings


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    key = secret_key.ensure(settings)
    assert len(key) >= 43
    assert secret_key.ensure(settings) == secret_key.ensure(make_settings(tmp_path)) == key
    assert make_settings(tmp_path).secret_key == key
    assert stat.S_IMODE(settings.secret_key_file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_instances_have_keys_of_their_own(tmp_path: Path) -> None:
    keys = {secret_key.ensure(make_settings(tmp_path / name)) for name in "abc"}
    assert len(keys) == 3


def test_a_key_that_is_given_is_not_written_down(tmp_path: Path) -> None:
    assert secret_key.ensure(make_settings(tmp_path, SECRET_KEY="given by the test")) == "given by the test"
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_cannot_be_kept_is_a_wrong_setting(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "instance")
    (tmp_path / "instance").write_text("no folder")
    with pytest.raises(SettingsError) as refused:
        secret_key.ensure(settings)
    assert refused.value.key == "SECRET_KEY"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_damaged_key_is_not_used(tmp_path: Path, content: bytes) -> None:
    settings = make_settings(tmp_path)
    settings.secret_key_file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        secret_key.ensure(settings)
    assert refused.value.key == "SECRET_KEY"


def test_one_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        secret_key.ensure(make_settings(tmp_path, SECRET_KEY="x" * 15))
    assert refused.value.key == "SECRET_KEY"
    assert "at least 16 characters" in refused.value.reason
    assert secret_key.ensure(make_settings(tmp_path, SECRET_KEY="x" * 16)) == "x" * 16
