"""Custom prompts on their way to the phone, and what is said of prompts that are missing."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.services import prompt_list, prompts
from tests.calls.test_keeper import instance, start_keeper
from tests.peers.instance import Instance
from tests.support import until
from voice.keeper_client import KeeperClient
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN, Prompts, prepare_payloads

__all__ = ["instance", "start_keeper"]

NAME = "goodbye"
OWN = BUILT_IN / "fr" / "goodbye.wav"


def payload_of(path: Path, law: Law = Law.PCMU) -> bytes:
    return g711.encode(wav.read_prompt(path), law)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A sound of one's own as the keeper lays it down."""
    path = tmp_path / "own.wav"
    path.write_bytes(OWN.read_bytes())
    prepare_payloads(path)
    return path


class TestPrompts:
    """voice.prompts.Prompts."""

    @pytest.mark.parametrize("law", Law)
    def test_a_custom_one_plays_in_its_language_until_it_is_taken_away(self, sound: Path, law: Law) -> None:
        played = Prompts("en")
        played.prepare()
        played.lay_over([{"name": NAME, "language": "es", "path": str(sound)}])
        assert played.prompt(NAME, "es", law) == payload_of(OWN, law)
        assert played.say([NAME], "en", law) == payload_of(BUILT_IN / "en" / f"{NAME}.wav", law)
        played.lay_over([])
        assert played.prompt(NAME, "es", law) == payload_of(BUILT_IN / "es" / f"{NAME}.wav", law)

    def test_it_goes_before_the_folder_of_the_settings(self, tmp_path: Path, sound: Path) -> None:
        laid = tmp_path / "sounds" / "es" / f"{NAME}.wav"
        laid.parent.mkdir(parents=True)
        laid.write_bytes((BUILT_IN / "ja" / f"{NAME}.wav").read_bytes())
        played = Prompts("en", tmp_path / "sounds")
        assert played.prompt(NAME, "es", Law.PCMU) == payload_of(laid)
        played.lay_over([{"name": NAME, "language": "es", "path": str(sound)}])
        assert played.prompt(NAME, "es", Law.PCMU) == payload_of(OWN)

    @pytest.mark.parametrize("content", [None, b"", b"not a sound"])
    def test_one_that_cannot_be_played_gives_way(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "own.wav"
        if content is not None:
            path.write_bytes(content)
        played = Prompts("en")
        played.lay_over([{"name": NAME, "language": "es", "path": str(path)}])
        assert played.prompt(NAME, "es", Law.PCMU) == payload_of(BUILT_IN / "es" / f"{NAME}.wav")

    def test_one_that_the_store_does_not_give_is_reported(self) -> None:
        played = Prompts("en")
        played.lay_over([{"name": NAME, "language": "es", "path": None}])
        assert played.faults == [{"name": NAME, "language": "es", "problem": "unplayable"}]
        assert played.prompt(NAME, "es", Law.PCMU) == payload_of(BUILT_IN / "es" / f"{NAME}.wav")
        played.lay_over([])
        assert played.faults == []

    def test_a_missing_one_falls_back_to_the_default_language_and_is_reported(
        self, tmp_path: Path, sound: Path
    ) -> None:
        default = tmp_path / "built in" / "fr" / "only_here.wav"
        default.parent.mkdir(parents=True)
        default.write_bytes(OWN.read_bytes())
        played = Prompts("fr", built_in=tmp_path / "built in")
        assert played.prompt("only_here", "ja", Law.PCMU) == payload_of(OWN)
        assert played.prompt("nowhere", "ja", Law.PCMU) == played.tone("failure", Law.PCMU)
        assert played.faults == [
            {"name": "only_here", "language": "ja", "problem": "missing"},
            {"name": "nowhere", "language": "ja", "problem": "missing"},
        ]
        # Somebody uploads one.
        played.lay_over([{"name": "nowhere", "language": "ja", "path": str(sound)}])
        assert [fault["name"] for fault in played.faults] == ["only_here"]

    def test_what_is_missing_is_reported_before_anybody_calls(self, tmp_path: Path) -> None:
        played = Prompts("en", built_in=tmp_path)
        played.prepare()
        assert played.faults
        assert {"name": next(iter(prompts.catalogue())), "language": "en", "problem": "missing"} in played.faults


@pytest.mark.slow
def test_an_upload_reaches_the_voice_worker(instance: Instance, start_keeper: Callable[[], KeeperClient]) -> None:
    keeper = start_keeper()
    heard: list[list[dict[str, Any]]] = []
    keeper.on_prompts = heard.append
    with instance.app.app_context():
        prompts.set_custom(NAME, "fr", io.BytesIO(OWN.read_bytes()), actor="test")
    until(lambda: heard and heard[-1], 20, "the keeper tells of the prompt")
    [row] = heard[-1]
    assert (row["name"], row["language"]) == (NAME, "fr")
    played = Prompts("en")
    played.lay_over(heard[-1])
    assert played.prompt(NAME, "fr", Law.PCMU) == payload_of(Path(row["path"]))
    with instance.app.app_context():
        prompts.remove_custom(NAME, "fr", actor="test")
    until(lambda: heard[-1] == [], 20, "the keeper tells that it is gone")


def test_reports_are_of_the_kind_that_the_portal_reads() -> None:
    played = Prompts("en")
    played.lay_over([{"name": NAME, "language": "es", "path": None}])
    [fault] = played.faults
    assert prompt_list._fault(fault, "pbx:5060") == prompt_list.Fault(NAME, "es", "unplayable", "pbx:5060")
