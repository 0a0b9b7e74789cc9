"""docs/phone.md shows the menus as the code has them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from app.config import LANGUAGES
from voice.flows import keys
from voice.flows.keys import Menu

ROOT = Path(__file__).resolve().parents[2]
MENUS = [pytest.param(menu, id=name) for _, menus in keys.TITLES for name, menu in menus]


def test_the_tables_are_those_of_the_code() -> None:
    """python -c "from voice.flows.keys import tables; print(tables())" writes them."""
    assert keys.tables() in (ROOT / "docs" / "phone.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("menu", MENUS)
def test_a_key_does_one_thing(menu: Menu) -> None:
    pressed = [key.key for key in menu]
    assert len(set(pressed)) == len(pressed)
    assert set(pressed) <= set(keys.ORDER)


@pytest.mark.parametrize("menu", MENUS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_offered_can_be_said(menu: Menu, language: str) -> None:
    prompts = tomllib.loads((ROOT / "sounds" / "prompts.toml").read_text(encoding="utf-8"))
    assert [key.option for key in menu if key.option and language not in prompts[key.option]] == []
