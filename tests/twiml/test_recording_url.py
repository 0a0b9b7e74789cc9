"""A program that is told of a recording finds it where its RecordingUrl says, at that very moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from twilio.rest import Client
from werkzeug.serving import make_server

from app.account import account_of
from tests.peers.instance import Instance
from tests.peers.speech import speech
from tests.twiml.programme import Programme
from voice.events import Digit
from voice.media.wav import HEADER_SIZE
from voice.store import Store
from voice.twiml.recordings import Place, Recordings

SAID = speech(2.0)


class Keeper:
    """Commits as the keeper does, or says that it cannot now."""

    def __init__(self, store: Store) -> None:
        self.store, self.away = store, False

    def save(self, take_id: str, seconds: float) -> bool:
        return not self.away and self.store.save(take_id)

    def adopt(self, take_id: str) -> None:
        self.store.adopt([take_id])


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path / "house")


@pytest.fixture
def keeper(instance: Instance) -> Keeper:
    return Keeper(Store(instance.settings))


@pytest.fixture
def programme(programme: Programme, instance: Instance, keeper: Keeper) -> Iterator[Programme]:
    """A number whose recordings are served by a portal on 127.0.0.1."""
    server = make_server("127.0.0.1", 0, instance.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    place = replace(Place.of(instance.settings), public_url=f"http://127.0.0.1:{server.server_port}")
    programme.recordings = Recordings(place, keeper)
    yield programme
    server.shutdown()
    thread.join()
    server.server_close()


def listened(programme: Programme, instance: Instance) -> list[tuple[int, bytes]]:
    """Let the action fetch its RecordingUrl before it answers; what it gets, status and payload."""
    account, got = account_of(instance.settings), list[tuple[int, bytes]]()

    def fetch() -> None:
        (asked,) = programme.site.of("/action")
        answer = httpx.get(asked["RecordingUrl"], auth=(account.sid, account.token))
        got.append((answer.status_code, answer.content[HEADER_SIZE:]))

    programme.site.serve("/action", meanwhile=fetch)
    return got


def test_the_action_hears_what_was_said(programme: Programme, instance: Instance) -> None:
    got = listened(programme, instance)
    programme.call('<Record action="/action"/>', speech=SAID, after_speech=(Digit("#"),))
    [(status, payload)] = got
    assert status == 200
    assert SAID.startswith(payload)
    assert len(payload) > 8000
    asked = programme.site.of("/action")[0]
    account = account_of(instance.settings)
    client = Client(account.sid, account.token)
    client.api.base_url = asked["RecordingUrl"].partition("/2010-04-01")[0]
    [found] = client.recordings.list(call_sid=asked["CallSid"])
    assert (found.sid, found.duration) == (asked["RecordingSid"], asked["RecordingDuration"])
    assert found.media_url is not None


def test_with_the_database_away_the_call_goes_on_and_the_recording_follows(
    programme: Programme, instance: Instance, keeper: Keeper
) -> None:
    keeper.away = True
    got = listened(programme, instance)
    programme.call('<Record action="/action"/><Say>never</Say>', speech=SAID, after_speech=(Digit("#"),))
    assert [status for status, _ in got] == [404]
    assert keeper.store.reconcile() == 1
    asked, account = programme.site.of("/action")[0], account_of(instance.settings)
    assert httpx.get(asked["RecordingUrl"], auth=(account.sid, account.token)).status_code == 200
