"""The database goes away: known mailboxes are served from the snapshot, and nothing said is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.peers.instance import Instance, VoiceWorker
from tests.peers.speech import speech
from tests.support import until
from voice.caller import Caller, CallFailed
from voice.mailbox import find_in_snapshot, snapshot_path
from voice.media import tones

pytestmark = [pytest.mark.peers, pytest.mark.slow]

FRAME = 160
KNOWN, UNKNOWN = "7001", "6999"


def test_the_snapshot_decides_and_the_message_follows(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker()
    instance = worker.instance
    instance.mailbox(KNOWN)
    snapshot = snapshot_path(instance.settings.instance)
    until(lambda: find_in_snapshot(snapshot, [KNOWN]), 20, "the snapshot knows the mailbox")
    assert worker.stop() == 0
    away = _take_away(instance)
    worker = start_worker(instance)
    said = speech(2.0, seed=51)
    with Caller(worker.host, worker.port) as caller, pytest.raises(CallFailed) as refused:
        caller.dial(UNKNOWN)
    assert refused.value.status == 503
    with Caller(worker.host, worker.port) as caller:
        caller.dial(KNOWN)
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        caller.speak(said)
        caller.press("#")
        for hertz in tones.CONFIRMATION_HZ:
            caller.wait_tone(hertz, 8)
        take = worker.call_line(caller.call_id)["message"]
    _bring_back(instance, away)
    message = instance.message(KNOWN, 30)
    assert message.id == take
    assert said[:-FRAME] in instance.spooled(message)
    with Caller(worker.host, worker.port) as caller, pytest.raises(CallFailed) as refused:
        caller.dial(UNKNOWN)
    assert refused.value.status == 404


def _take_away(instance: Instance) -> list[str]:
    """Put something that is no database in its place; names of what was moved aside."""
    with instance.app.app_context():
        from app.extensions import db

        db.engine.dispose()
    moved = [path.name for path in instance.folder.glob("voicemail.db*")]
    for name in moved:
        (instance.folder / name).rename(instance.folder / f"aside-{name}")
    (instance.folder / "voicemail.db").mkdir()
    return moved


def _bring_back(instance: Instance, moved: list[str]) -> None:
    (instance.folder / "voicemail.db").rmdir()
    for name in moved:
        (instance.folder / f"aside-{name}").rename(instance.folder / name)
