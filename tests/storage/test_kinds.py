"""A kind of store that this version does not have is told at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import create_app
from app.config import SettingsError
from tests.support import make_settings


def test_the_start_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        create_app(make_settings(tmp_path, VOICEMAIL__STORAGE_TYPE="s3"))
    assert refused.value.key == "storage.type"
