"""The trace of a programmed call: what was asked, what came back, what each verb did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

# Kinds of entries.
REQUEST, NOTICE, VERB, CALL = "request", "notice", "verb", "call"


@dataclass(frozen=True)
class Entry:
    """A line of a trace. position: from 0 on within the call; one that is written again replaces the earlier.

    kind, what: REQUEST and "POST https://..."; NOTICE and what was wrong; VERB and its name; CALL and a status.
    outcome: how it ended, in words; empty while it runs. at: ISO 8601, UTC. seconds: None while it runs.
    detail: plain JSON. REQUEST: parameters (list of pairs), status, content_type, body, error. VERB: line, column,
    attributes, text. NOTICE: line, column, code.
    """

    call_sid: str
    position: int
    kind: str
    what: str
    at: str
    outcome: str = ""
    seconds: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CallState:
    """The row of a programmed call as it is now; see app.models.Call. Times are ISO 8601, UTC, or empty."""

    sid: str
    number_id: str
    caller: str
    called: str
    status: str
    started_at: str
    sip_call_id: str = ""
    direction: str = "inbound"
    simulated: bool = False
    answered_at: str = ""
    ended_at: str = ""
    error_code: int = 0
    error: str = ""


class Ledger(Protocol):
    """Who writes it down (the keeper, or the simulator's job). It never fails and never waits."""

    def call(self, state: CallState) -> None: ...
    def entry(self, entry: Entry) -> None: ...
