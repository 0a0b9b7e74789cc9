"""What was cut off a message: put back behind it, kept for some days, gone with a purge on any host."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from app.errors import NotFound
from app.extensions import db
from app.models import Message
from app.models.base import utc_now
from app.services import messages, purge, trimmed
from app.services.context import settings
from app.services.spool import wav_of
from app.storage import AudioSource
from tests.services.takes import saved, spooled, take
from voice.media import wav
from voice.media.g711 import Law

DAY = 86400


def tail(message_id: str, payload: bytes = b"\x42" * 161, days: float = 0) -> Path:
    """What was cut off so many days ago."""
    path = trimmed.path_of(settings(), message_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav.header(Law.PCMA, len(payload)) + payload + b"\0" * (len(payload) & 1))
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


@pytest.mark.parametrize("rest", [0, 1, 160, 70_001])
def test_the_whole_is_the_message_and_what_was_cut_off_from_any_byte_on(app: Flask, tmp_path: Path, rest: int) -> None:
    said, cut = bytes(range(160)) * 3, bytes([7]) * rest
    path = tmp_path / "message.wav"
    path.write_bytes(wav.header(Law.PCMA, len(said)) + said)
    with app.app_context():
        message_id = saved_with_box()
        tail(message_id, cut)
        whole = trimmed.whole(settings(), message_id, AudioSource.of_file(path))
    expected = wav.header(Law.PCMA, len(said) + rest) + said + cut + b"\0" * (rest & 1)
    assert (b"".join(whole.blocks()), whole.size) == (expected, len(expected))
    for start, end in ((0, 58), (20, 60), (57, 59), (100, 540), (500, len(expected)), (537, 539), (538, 538)):
        assert b"".join(whole.blocks(start, end)) == expected[start:end]


def saved_with_box() -> str:
    from app.services import mailboxes

    mailboxes.create("1001", pin="4711", actor="test")
    return saved()


def test_without_it_there_is_no_whole(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        message_id = saved_with_box()
        assert trimmed.kept(settings()) == frozenset()
        path = tmp_path / "message.wav"
        path.write_bytes(wav.header(Law.PCMU, 160) + bytes(160))
        with pytest.raises(NotFound):
            trimmed.whole(settings(), message_id, AudioSource.of_file(path))


def test_it_goes_after_its_days(app: Flask) -> None:
    with app.app_context():
        message_id = saved_with_box()
        old, young = tail(message_id, days=7.1), tail("0" * 8 + "-0000" * 3 + "-" + "0" * 12, days=6.9)
        trimmed.sweep(settings())
        assert (old.exists(), young.exists()) == (False, True)
        rules = replace(settings(), retention=replace(settings().retention, trimmed_days=0))
        trimmed.sweep(rules)
        assert not young.exists()


def test_a_purge_takes_it_along(app: Flask) -> None:
    with app.app_context():
        saved_with_box()
        mine = spooled(take())
        messages.save_take(mine)
        path = tail(mine.id)
        purge.purge(mine.id)
        assert not path.exists()
        assert not wav_of(settings(), mine.id).exists()


def test_a_purge_on_another_host_reaches_it_at_the_next_sweep(app: Flask) -> None:
    with app.app_context():
        purged, living = saved_with_box(), saved()
        gone, stays = tail(purged), tail(living)
        db.session.execute(update(Message).where(Message.id == purged).values(purged_at=utc_now()))
        db.session.commit()
        trimmed.sweep(settings())
        assert (gone.exists(), stays.exists()) == (False, True)
