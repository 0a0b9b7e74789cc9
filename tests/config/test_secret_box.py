"""Secrets that must be read again: encrypted, with a key of the instance or of the settings."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.config import SettingsError
from app.secret_box import seal, unseal
from tests.support import make_settings

SECRET = "Bearer pä55 王"


def key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def test_what_is_sealed_is_not_seen_and_read_again(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    sealed = seal(settings, SECRET)
    assert SECRET not in sealed
    assert sealed != seal(settings, SECRET)
    assert sealed.isascii()
    assert unseal(make_settings(tmp_path), sealed) == SECRET
    assert stat.S_IMODE(settings.encryption_key_file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["encryption_key"]


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with ThreadPoolExecutor(8) as together:
        sealed = list(together.map(lambda n: seal(settings, str(n)), range(16)))
    assert [unseal(settings, one) for one in sealed] == [str(n) for n in range(16)]


def test_a_key_of_the_settings_is_not_written_down(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, ENCRYPTION_KEY=key())
    assert unseal(settings, seal(settings, SECRET)) == SECRET
    assert list(tmp_path.iterdir()) == []


def test_a_key_may_come_from_a_file_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(key() + "\n")
    settings = make_settings(tmp_path, ENCRYPTION_KEY_FILE=str(tmp_path / "key"))
    assert unseal(settings, seal(settings, SECRET)) == SECRET


@pytest.mark.parametrize("between", [",", "\n", ", "])
def test_an_old_key_still_reads_and_the_new_one_seals(tmp_path: Path, between: str) -> None:
    old, new = key(), key()
    before = make_settings(tmp_path, ENCRYPTION_KEY=old)
    after = make_settings(tmp_path, ENCRYPTION_KEY=f"{new}{between}{old}")
    assert unseal(after, seal(before, SECRET)) == SECRET
    assert unseal(make_settings(tmp_path, ENCRYPTION_KEY=new), seal(after, SECRET)) == SECRET


def test_another_key_is_a_wrong_setting_that_shows_nothing(tmp_path: Path) -> None:
    sealed, other = seal(make_settings(tmp_path / "a"), SECRET), make_settings(tmp_path / "b")
    seal(other, "something")
    for settings in (other, make_settings(tmp_path, ENCRYPTION_KEY=key())):
        with pytest.raises(SettingsError) as refused:
            unseal(settings, sealed)
        assert refused.value.key == "ENCRYPTION_KEY"
        assert "put that one back" in refused.value.reason
        assert settings.encryption_key not in refused.value.reason or not settings.encryption_key


def test_a_lost_key_is_not_made_anew_by_reading(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    sealed = seal(settings, SECRET)
    settings.encryption_key_file.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        unseal(settings, sealed)
    assert not settings.encryption_key_file.exists()


@pytest.mark.parametrize("damage", ["x", "damaged", "Bearer token", "AAAA" * 20, ","])
def test_a_key_of_another_form_is_refused_and_not_shown(tmp_path: Path, damage: str) -> None:
    with pytest.raises(SettingsError) as refused:
        seal(make_settings(tmp_path, ENCRYPTION_KEY=damage), SECRET)
    assert "32 random bytes" in refused.value.reason
    assert damage == "," or damage == "x" or damage not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"damaged"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    settings = make_settings(tmp_path)
    settings.encryption_key_file.write_bytes(content)
    for act in (seal, unseal):
        with pytest.raises(SettingsError) as refused:
            act(settings, SECRET)
        assert refused.value.key == "ENCRYPTION_KEY"


def test_what_was_changed_on_the_way_is_refused(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    sealed = seal(settings, SECRET)
    changed = sealed[:30] + ("A" if sealed[30] != "A" else "B") + sealed[31:]
    for wrong in (changed, "", "no token", "ü"):
        with pytest.raises(SettingsError):
            unseal(settings, wrong)
