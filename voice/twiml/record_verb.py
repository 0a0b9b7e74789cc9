"""Record: the caller is recorded, and the action is told of it (https://www.twilio.com/docs/voice/twiml/record)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from voice.errors import CallEnded
from voice.twiml import parameters
from voice.twiml.call_record import COMPLETED
from voice.twiml.desk import ScriptTake
from voice.twiml.document import Step
from voice.twiml.errands import ErrandFailed
from voice.twiml.journal import VerbLine
from voice.twiml.script_run import GoTo, ScriptRun
from voice.verbs import Play, Record, Recorded
from voice.verbs.record import HANGUP

STATUS_IN_PROGRESS, STATUS_COMPLETED, STATUS_ABSENT = "in-progress", "completed", "absent"
HUNG_UP = "hangup"


def record(run: ScriptRun, step: Step, line: VerbLine) -> GoTo | None:
    """Record; the action is next, or the next verb where nothing was recorded.

    A hang-up ends the recording, which is kept, and the action is told; then CallEnded.
    """
    run.answer()
    with run.desk.recordings.begin(run.call, run.record.sid) as take:
        callback = _Callback(run, step, take)
        recorded = _recorded(run, step, take, callback)
        seconds = take.finish(recorded, step.attributes["trim"] == "trim-silence")
    if seconds is None:
        line.outcome = f"nothing was recorded (ended by {recorded.ended_by})"
        callback.tell(STATUS_ABSENT, 0.0)
        if recorded.ended_by == HANGUP:
            raise CallEnded(run.call.ended or HUNG_UP)
        return None
    line.outcome = f"{seconds:.1f} s recorded (ended by {recorded.ended_by})"
    callback.tell(STATUS_COMPLETED, seconds)
    goto = run.go_on(
        step.attributes["action"],
        step.attributes["method"],
        ("RecordingUrl", take.url),
        ("RecordingSid", take.sid),
        ("RecordingDuration", whole(seconds)),
        ("Digits", HUNG_UP if recorded.ended_by == HANGUP else recorded.key),
    )
    if recorded.ended_by == HANGUP:
        run.post_last(goto, COMPLETED)
        raise CallEnded(run.call.ended or HUNG_UP)
    return goto


def whole(seconds: float) -> str:
    """Whole seconds; what was recorded lasts one at least."""
    return str(max(1, round(seconds)))


def _recorded(run: ScriptRun, step: Step, take: ScriptTake, callback: _Callback) -> Recorded:
    wanted, call = step.attributes, run.call
    if wanted["playBeep"]:
        Play(run.desk.prompts.tone("beep", call.law)).run(call)
    # What was typed before it is no answer to it.
    call.forget_digits()
    run.moved = True
    callback.tell(STATUS_IN_PROGRESS, 0.0)
    return Record(take.path, wanted["timeout"], wanted["maxLength"], wanted["finishOnKey"]).run(call)


class _Callback:
    """The recordingStatusCallback of a recording, where there is one."""

    def __init__(self, run: ScriptRun, step: Step, take: ScriptTake) -> None:
        self._run, self._take = run, take
        self._wanted: Any = step.attributes
        self._began: datetime = run.desk.now()

    def tell(self, status: str, seconds: float) -> None:
        """The recording has this status now, where somebody wants to know."""
        wanted = self._wanted
        if not wanted["recordingStatusCallback"] or status not in wanted["recordingStatusCallbackEvent"]:
            return
        pairs = (
            ("AccountSid", self._run.desk.account_sid),
            ("CallSid", self._run.record.sid),
            ("RecordingSid", self._take.sid),
            ("RecordingUrl", self._take.url),
            ("RecordingStatus", status),
            ("RecordingDuration", whole(seconds) if status == STATUS_COMPLETED else "0"),
            ("RecordingChannels", "1"),
            ("RecordingStartTime", parameters.moment(self._began)),
            ("RecordingSource", "RecordVerb"),
        )
        try:
            url = self._run.resolve(wanted["recordingStatusCallback"])
        except ErrandFailed as failure:
            # The recording goes on, and so does the call.
            self._run.journal.note(f"recordingStatusCallback: {failure}", failure.code)
        else:
            self._run.tell(url, wanted["recordingStatusCallbackMethod"], pairs)
