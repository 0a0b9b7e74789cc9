"""The row of a programmed call: its sid, its status as Twilio has it, when it began, was answered and ended."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from voice.call import Call
from voice.twiml.desk import ScriptDesk
from voice.twiml.journal import Journal
from voice.twiml.script import Script
from voice.twiml.trace import CallState

RINGING, IN_PROGRESS = "ringing", "in-progress"
COMPLETED, BUSY, NO_ANSWER, FAILED, CANCELED = "completed", "busy", "no-answer", "failed", "canceled"


def new_sid() -> str:
    """CA and 32 hexadecimal digits."""
    return f"CA{uuid.uuid4().hex}"


class CallRecord:
    """What is written of a call as it goes on. started, answered, ended: UTC; status: one of those above."""

    def __init__(self, call: Call, script: Script, desk: ScriptDesk, sid: str) -> None:
        self.sid = sid
        self.journal = Journal(desk.ledger, sid, desk.now)
        self._ledger, self._now = desk.ledger, desk.now
        self.started = self._now()
        self.answered: datetime | None = None
        self.ended: datetime | None = None
        self._state = CallState(
            sid=sid,
            number_id=script.number_id,
            caller=call.facts.caller_number,
            called=script.number,
            status=RINGING,
            started_at=_text(self.started),
            sip_call_id="" if desk.simulated else call.facts.call_id,
            simulated=desk.simulated,
        )
        self._ledger.call(self._state)
        self.journal.call(RINGING)

    @property
    def status(self) -> str:
        return self._state.status

    @property
    def seconds(self) -> float:
        """From the answer to the end; 0 for a call that was not answered, or has not ended."""
        return (self.ended - self.answered).total_seconds() if self.ended and self.answered else 0.0

    def answer(self) -> None:
        """The call is answered now."""
        self.answered = self._now()
        self._change(status=IN_PROGRESS, answered_at=_text(self.answered))
        self.journal.call(IN_PROGRESS)

    def fault(self, code: int, text: str) -> None:
        """What went wrong last, by Twilio's number and in words."""
        self._change(error_code=code, error=text)

    def end(self, status: str, why: str) -> None:
        """The call is over. why: in words, for the trace."""
        self.ended = self._now()
        self._change(status=status, ended_at=_text(self.ended))
        self.journal.call(status, why)

    def _change(self, **facts: Any) -> None:
        self._state = replace(self._state, **facts)
        self._ledger.call(self._state)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
