"""Custom prompts: laid over the built-in ones, one a language; and what voice workers say of prompts."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
import soundfile
from flask import Flask
from sqlalchemy import select

from app import create_app
from app.config import LANGUAGES, Settings
from app.errors import Invalid, NotFound, Unavailable
from app.extensions import db
from app.models import Audit, Prompt
from app.services import prompt_list, prompts, uploads
from app.services.context import settings as settings_in_force
from app.services.prompt_list import Fault
from app.services.prompts import Origin
from app.storage import StoreError
from tests.services.sounds import encoded, tone
from tests.services.together import together

NAME = "goodbye"


@pytest.fixture
def within(app: Flask) -> Iterator[Flask]:
    """An application context on SQLite."""
    with app.app_context():
        yield app


def upload(name: str = NAME, language: str = "fr", seconds: float = 1.0) -> prompts.CustomPrompt:
    return prompts.set_custom(name, language, encoded(tone(seconds, 44_100), 44_100), actor="anna")


def objects() -> list[Path]:
    """Audio that the store holds."""
    return list(settings_in_force().storage.folder.rglob("*.wav"))


def seconds_of(prompt: prompts.CustomPrompt) -> float:
    audio = io.BytesIO(b"".join(prompts.open_custom(prompt).blocks()))
    facts = soundfile.info(audio)
    assert (facts.samplerate, facts.channels, facts.subtype) == (8000, 1, "PCM_16")
    return float(facts.duration)


def test_a_prompt_is_laid_over_the_default_one_replaced_and_removed(any_app: Flask) -> None:
    upload(seconds=1.0)
    upload(language="ja", seconds=3.0)
    upload(seconds=2.0)
    found = prompts.custom()
    assert [(one.language, one.name, round(seconds_of(one))) for one in found] == [("fr", NAME, 2), ("ja", NAME, 3)]
    assert len(objects()) == 2
    for _ in range(2):
        prompts.remove_custom(NAME, "fr", actor="anna")
    assert [one.language for one in prompts.custom()] == ["ja"]
    assert len(objects()) == 1
    lines = db.session.execute(select(Audit.actor, Audit.action, Audit.detail).order_by(Audit.id)).all()
    assert [tuple(line) for line in lines] == [
        ("anna", "prompt.set", "fr/goodbye"),
        ("anna", "prompt.set", "ja/goodbye"),
        ("anna", "prompt.set", "fr/goodbye"),
        ("anna", "prompt.remove", "fr/goodbye"),
    ]


def test_uploads_at_once_leave_one_prompt(any_app: Flask) -> None:
    results = together(any_app, *[lambda seconds=seconds: upload(seconds=seconds) for seconds in (1.0, 2.0, 1.0)])
    assert [type(result) for result in results] == [prompts.CustomPrompt] * 3
    db.session.rollback()
    [left] = prompts.custom()
    assert left in results
    assert [path.name for path in objects()] == [left.storage_key.rpartition("/")[2]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "The file is empty."), (b"%PDF-1.7", "not an audio file"), (bytes(5000), "not an audio file")],
)
def test_what_is_no_sound_is_refused_with_a_sentence(within: Flask, content: bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        prompts.set_custom(NAME, "en", io.BytesIO(content), actor="anna")
    assert sentence in refused.value.fields["sound"]
    assert (prompts.custom(), objects()) == ([], [])


def test_a_prompt_may_not_be_endless(within: Flask) -> None:
    with pytest.raises(Invalid) as refused:
        upload(seconds=prompts.LONGEST_SECONDS + 1)
    assert refused.value.fields == {"sound": "A prompt has at most 120 seconds; this file is longer."}


@pytest.mark.parametrize(("name", "language"), [("nothing_of_ours", "en"), (NAME, "de"), ("../../etc/passwd", "en")])
def test_what_is_no_prompt_is_not_found(within: Flask, name: str, language: str) -> None:
    for act in (
        lambda: upload(name, language),
        lambda: prompts.find(name, language),
        lambda: prompts.open_default(name, language),
        lambda: prompts.remove_custom(name, language, actor="anna"),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_prompt_of_a_name_that_is_no_more_is_left_out(within: Flask) -> None:
    db.session.add(Prompt(name="said_in_an_older_version", language="en", storage_key="x", size=1, sha256="0" * 64))
    db.session.commit()
    assert prompts.custom() == []


def test_a_store_that_is_away_is_said_to_be_so(within: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def put(self, *arguments: object, **more: object) -> None:
            raise StoreError("away")

        open = delete = put

    custom = upload()
    for name in ("open_store", "open_to_change"):
        monkeypatch.setattr(uploads, name, lambda settings: Away())
    with pytest.raises(Unavailable):
        upload()
    with pytest.raises(Unavailable):
        prompts.open_custom(custom)
    prompts.remove_custom(NAME, "fr", actor="anna")
    assert prompts.custom() == []


def test_where_the_default_comes_from(within: Flask, settings: Settings, tmp_path: Path) -> None:
    assert prompts.default_of(NAME, "en") == (prompts.BUILT_IN / "en" / f"{NAME}.wav", Origin.BUILT_IN)
    (tmp_path / "sounds" / "en").mkdir(parents=True)
    laid_over = Path(shutil.copy(prompts.BUILT_IN / "fr" / f"{NAME}.wav", tmp_path / "sounds" / "en"))
    with create_app(replace(settings, sounds_dir=tmp_path / "sounds")).app_context():
        assert prompts.default_of(NAME, "en") == (laid_over, Origin.FOLDER)
        assert prompts.default_of(NAME, "fr")[1] is Origin.BUILT_IN
        assert b"".join(prompts.open_default(NAME, "en").blocks()) == laid_over.read_bytes()


class TestList:
    """What people look through."""

    def names(self, language: str = "en", *faults: Fault, **choice: Any) -> list[str]:
        return [row.entry.name for row in prompt_list.page(language, faults, **choice).items]

    @pytest.mark.parametrize("search", ["goodb", "GOODBYE", "Au revoir", "再见", "end of a call"])
    def test_search_in_names_moments_and_texts_of_any_language(self, within: Flask, search: str) -> None:
        assert NAME in self.names(search=search)

    def test_every_prompt_is_on_one_of_the_pages(self, within: Flask) -> None:
        first = prompt_list.page("zh", [])
        names = [row.entry.name for n in range(first.pages) for row in prompt_list.page("zh", [], page=n + 1).items]
        assert names == [name for name, entry in prompts.catalogue().items() if "zh" in entry.texts]
        assert len(names) == first.total
        assert prompt_list.page("zh", [], page=10_000).page == first.pages

    def test_by_part_of_the_conversation(self, within: Flask) -> None:
        for group in prompt_list.groups():
            rows = prompt_list.page("en", [], group=group).items
            assert {row.entry.group for row in rows} == {group}

    def test_those_of_ones_own(self, within: Flask) -> None:
        upload(language="en")
        assert self.names(show="custom") == [NAME]
        assert self.names("fr", show="custom") == []

    def test_those_that_workers_complain_of(self, within: Flask) -> None:
        fault = Fault(NAME, "en", "missing", "pbx:5060")
        assert self.names("en", fault, search="end of a call, where", show="faulty") == [NAME]
        assert self.names("fr", fault, search="end of a call, where", show="faulty") == []

    def test_those_that_this_host_misses(self, within: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        prompts.catalogue()
        monkeypatch.setattr(prompts, "BUILT_IN", tmp_path)
        assert NAME in self.names(search=NAME, show="faulty")
        with pytest.raises(NotFound):
            prompts.open_default(NAME, "en")
        upload(language="en")
        assert NAME not in self.names(search=NAME, show="faulty")

    def test_in_all_languages(self, within: Flask) -> None:
        upload(language="es")
        rows = prompt_list.in_all_languages(NAME)
        assert [row.language for row in rows] == list(LANGUAGES)
        assert [row.origin for row in rows if row.language == "es"] == [Origin.CUSTOM]


def test_every_text_of_the_catalogue_fits_its_table() -> None:
    for name, entry in prompts.catalogue().items():
        assert len(name) <= 64
        assert entry.when
        assert entry.texts


class TestReports:
    """What voice workers say in their heartbeats."""

    @pytest.fixture
    def reported(self, settings: Settings, valkey: str) -> Iterator[Any]:
        def say(*listed: object) -> list[Fault]:
            state = {"host": "pbx", "sip_port": 5060, "prompts": list(listed)}
            with redis.Redis.from_url(valkey) as client:
                client.set("voicemail:worker:pbx:5060", json.dumps(state))
            with create_app(replace(settings, redis_url=valkey)).app_context():
                return prompt_list.reported()

        return say

    def test_they_are_read(self, reported: Any) -> None:
        assert reported({"name": NAME, "language": "ja", "problem": "missing"}) == [
            Fault(NAME, "ja", "missing", "pbx:5060")
        ]

    @pytest.mark.parametrize("strange", [None, "x", {}, {"name": "none_of_ours", "language": "en"}, {"name": NAME}])
    def test_what_makes_no_sense_is_left_out(self, reported: Any, strange: object) -> None:
        assert reported(strange) == []

    def test_without_redis_nobody_knows(self, within: Flask) -> None:
        with pytest.raises(Unavailable):
            prompt_list.reported()
