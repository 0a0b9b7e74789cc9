"""The board that the keeper publishes for the portal, and how a worker tells it of its calls."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import until
from voice import board as board_module
from voice.board import LISTED_CALLS, Board
from voice.call import LOGGING_IN, RECORDING, RETRIEVING, Call, CallFacts, Served
from voice.live import CALLS_A_LINE, MAX_TEXT, LiveCalls
from voice.mailbox import MailboxFacts

WORKER, CALLS = "voicemail:worker:host:5060", "voicemail:calls:host:5060"
MAILBOX = MailboxFacts("box-id", "1001", "Alice", "en", "Europe/Paris")
PACKETS = SimpleNamespace(received=50, lost=2, peer_lost=3)


class Keeper:
    """A board that publishes into memory."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.board = Board(self.published.append)
        self.lines: list[str] = []
        self.live = LiveCalls(self.tell)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.board.run, args=(self._stopping,))
        self._thread.start()

    def tell(self, request: dict[str, Any]) -> None:
        """As over the socket."""
        self.lines.append(json.dumps(request))
        assert self.board.take(json.loads(self.lines[-1]))

    def beat(self) -> None:
        self.tell({"ask": "heartbeat", "key": WORKER, "state": {"host": "host", "state": "ready"}})
        self.live.tell_all()

    def calls(self) -> list[dict[str, Any]]:
        return self.published[-1][CALLS]["calls"] if self.published else []

    def stop(self) -> None:
        self._stopping.set()
        self.board.stop()
        self._thread.join()


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    monkeypatch.setattr(board_module, "PAUSE_SECONDS", 0.01)
    made = Keeper()
    yield made
    made.stop()


def call_of(number: str = "2000", name: str = "Bob") -> Call:
    return Call(SimpleNamespace(), CallFacts("call@pbx", number, name, ("1001",)), None)  # type: ignore[arg-type]


def running(keeper: Keeper, call: Call) -> Any:
    return keeper.live.running(call, MAILBOX, "2026-11-23T10:00:00+00:00", lambda: PACKETS)  # type: ignore[return-value]


def test_a_call_is_shown_while_it_runs(keeper: Keeper) -> None:
    keeper.beat()
    call = call_of(name="x" * 500)
    with running(keeper, call):
        until(lambda: len(keeper.calls()) == 1)
        call.enter(RECORDING)
        until(lambda: keeper.calls()[0]["state"] == RECORDING)
        shown = keeper.calls()[0]
        assert (shown["caller"], shown["extension"]) == ("2000", "1001")
        assert (shown["received"], shown["lost"], shown["lost_there"]) == (50, 2, 3)
        assert len(shown["caller_name"]) == MAX_TEXT
        assert keeper.published[-1][WORKER]["states"] == {RECORDING: 1}
        assert keeper.published[-1][WORKER]["calls"] == 1
    until(lambda: keeper.calls() == [])


def test_an_owner_who_has_not_said_yet_which_mailbox_is_shown(keeper: Keeper) -> None:
    keeper.beat()
    call = call_of()
    with keeper.live.running(call, None, "2026-11-23T10:00:00+00:00", lambda: PACKETS):  # type: ignore[arg-type,return-value]
        call.enter(LOGGING_IN)
        until(lambda: [row["state"] for row in keeper.calls()] == [LOGGING_IN])
        assert (keeper.calls()[0]["extension"], keeper.calls()[0]["mailbox_id"]) == ("", "")
        call.served = Served("box-1001", "1001", "Asia/Tokyo")
        call.enter(RETRIEVING)
        until(lambda: [row["state"] for row in keeper.calls()] == [RETRIEVING])
        [shown] = keeper.calls()
        assert (shown["extension"], shown["mailbox_id"], shown["timezone"]) == ("1001", "box-1001", "Asia/Tokyo")


def test_a_worker_that_starts_anew_calls_no_call_by_the_name_of_an_earlier_one(keeper: Keeper) -> None:
    """Metrics and programs would take two calls for one."""
    names: list[int] = []
    for _ in range(2):
        with running(keeper, call_of()):
            names.append(json.loads(keeper.lines[-1])["call"]["id"])
        until(lambda: time.time_ns() // 1_000_000 > names[-1], what="the next millisecond")
        keeper.live = LiveCalls(keeper.tell)
    assert names[0] < names[1]


def test_a_call_that_fails_leaves_the_board(keeper: Keeper) -> None:
    keeper.beat()
    with pytest.raises(RuntimeError), running(keeper, call_of()):
        raise RuntimeError("a fault")
    keeper.beat()
    until(lambda: keeper.published and keeper.calls() == [])


def test_a_new_keeper_learns_every_call_with_the_next_beat(keeper: Keeper) -> None:
    calls = [call_of(str(number)) for number in range(2 * CALLS_A_LINE + 1)]
    contexts = [running(keeper, call) for call in calls]
    for context in contexts:
        context.__enter__()
    # What it has not heard of, as one that has just started.
    keeper.board._calls.clear()
    keeper.beat()
    until(lambda: len(keeper.calls()) == len(calls))
    # No line is long: the thread that paces media must not wait for it.
    assert max(map(len, keeper.lines)) < 20_000
    for context in contexts:
        context.__exit__(None, None, None)
    until(lambda: keeper.calls() == [])


def test_an_end_that_was_missed_is_noticed_with_the_next_beat(keeper: Keeper) -> None:
    keeper.beat()
    keeper.board.take({"ask": "call", "call": {"id": 99, "state": "greeting"}})
    until(lambda: len(keeper.calls()) == 1)
    keeper.beat()
    keeper.beat()
    until(lambda: keeper.calls() == [])


def test_a_call_that_begins_or_changes_while_all_are_told_stays(keeper: Keeper) -> None:
    keeper.beat()
    board = keeper.board
    for _ in range(3):
        board.take({"ask": "call", "call": {"id": 7, "state": "greeting"}})
        board.take({"ask": "call", "call": {"id": 7, "state": "recording"}})
        board.take({"ask": "calls end", "round": board._round + 1})
        assert 7 in board._calls
        board.take({"ask": "call over", "call": 7})


def test_what_is_published_is_bounded(keeper: Keeper) -> None:
    keeper.beat()
    for number in range(LISTED_CALLS + 10):
        keeper.board.take({"ask": "call", "call": {"id": number, "state": "greeting"}})
    until(lambda: keeper.published and keeper.published[-1][CALLS]["total"] == LISTED_CALLS + 10)
    assert len(keeper.calls()) == LISTED_CALLS
    assert keeper.published[-1][WORKER]["states"] == {"greeting": LISTED_CALLS + 10}


def test_many_changes_are_published_together() -> None:
    gate, published = threading.Event(), list[dict[str, Any]]()

    def slow(values: dict[str, Any]) -> None:
        gate.wait()
        published.append(values)

    board = Board(slow)
    stopping = threading.Event()
    # No pause between two of them: what comes while Redis is slow is published together all the same.
    stopping.set()
    thread = threading.Thread(target=board.run, args=(stopping,))
    thread.start()
    board.take({"ask": "heartbeat", "key": WORKER, "state": {}})
    for number in range(600):
        board.take({"ask": "call", "call": {"id": number, "state": "greeting"}})
    gate.set()
    until(lambda: published and published[-1][CALLS]["total"] == 600)
    board.stop()
    thread.join()
    assert len(published) <= 3


def test_it_leaves_other_requests_alone(keeper: Keeper) -> None:
    assert not keeper.board.take({"ask": "mailbox", "extensions": []})


@pytest.mark.parametrize(("said", "counted"), [(None, 0), (4, 4), (-2, 0)])
def test_what_calls_lost_is_counted_when_they_end(keeper: Keeper, said: int | None, counted: int) -> None:
    keeper.live.count(SimpleNamespace(received=10, lost=1, peer_lost=said), kept=True)  # type: ignore[arg-type]
    keeper.live.count(SimpleNamespace(received=5, lost=0, peer_lost=None), kept=False)  # type: ignore[arg-type]
    assert keeper.live.counters == {
        "packets_received": 15,
        "packets_lost": 1,
        "packets_lost_there": counted,
        "messages": 1,
        "flow_faults": 0,
    }
