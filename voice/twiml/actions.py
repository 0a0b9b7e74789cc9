"""What each verb of a document does: it becomes a verb of voice/verbs, and says how the call goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from voice.errors import KeeperAway
from voice.flows.outcome import Outcome
from voice.router import normalise
from voice.twiml import codes
from voice.twiml.call_record import BUSY, NO_ANSWER
from voice.twiml.document import Step
from voice.twiml.errands import ErrandFailed
from voice.twiml.gather_verb import gather, play, say
from voice.twiml.journal import VerbLine
from voice.twiml.record_verb import record
from voice.twiml.script_run import GoTo, Over, ScriptRun
from voice.verbs import Hangup, Pause, Play, Reject
from voice.verbs.reject import BUSY_HERE, DECLINE

Action = Callable[[ScriptRun, Step, VerbLine], GoTo | Over | None]
FINISHED = Outcome("document")


def hang_up(run: ScriptRun) -> Over:
    """The call ends from our side, answered (https://www.twilio.com/docs/voice/twiml/hangup)."""
    run.answer()
    Hangup().run(run.call)
    return Over(FINISHED)


def _say(run: ScriptRun, step: Step, line: VerbLine) -> None:
    # The voice is fetched before the answer: who calls hears ringing, not silence.
    if payload := say(run, step):
        _heard(run, payload, step)
    else:
        line.outcome = "nothing to say"


def _play(run: ScriptRun, step: Step, _line: VerbLine) -> None:
    payload = play(run, step)
    _heard(run, payload, step)


def _heard(run: ScriptRun, payload: bytes, step: Step) -> None:
    run.answer()
    run.moved = True
    Play(payload, loop=step.attributes["loop"], keep=True).run(run.call)


def _pause(run: ScriptRun, step: Step, line: VerbLine) -> None:
    """As the first verb it waits with the answer (https://www.twilio.com/docs/voice/twiml/pause)."""
    line.outcome = "" if run.call.answered else "not answered yet"
    Pause(step.attributes["length"]).run(run.call)
    run.moved = True


def _redirect(run: ScriptRun, step: Step, _line: VerbLine) -> GoTo:
    return run.go_on(step.text, step.attributes["method"])


def _reject(run: ScriptRun, step: Step, line: VerbLine) -> Over:
    """Only a call that is not answered can be rejected (https://www.twilio.com/docs/voice/twiml/reject)."""
    if run.call.answered:
        run.journal.note("<Reject> comes too late: the call is answered, and is hung up.", codes.REJECT_REASON, step)
        line.outcome = "hung up"
        return hang_up(run)
    busy = step.attributes["reason"] == "busy"
    Reject(BUSY_HERE if busy else DECLINE).run(run.call)
    return Over(Outcome("rejected"), BUSY if busy else NO_ANSWER)


def _hangup(run: ScriptRun, _step: Step, _line: VerbLine) -> Over:
    return hang_up(run)


def _voicemail(run: ScriptRun, step: Step, line: VerbLine) -> Over:
    """The built-in flow of a mailbox takes the call over."""
    mailbox, extension = run.mailbox, normalise(step.attributes["mailbox"])
    if step.attributes["mailbox"]:
        try:
            mailbox = run.desk.find_mailbox([extension]) if extension else None
        except KeeperAway as error:
            raise ErrandFailed(codes.INTERNAL, "No mailbox can be looked up now.") from error
    if mailbox is None:
        given = step.attributes["mailbox"][:40]
        raise ErrandFailed(codes.SCHEMA, f"There is no mailbox {given}." if given else "<Voicemail> names no mailbox.")
    if step.attributes["reason"]:
        run.call.facts = replace(run.call.facts, reason=step.attributes["reason"])
    run.answer()
    outcome = run.desk.leave_message(run.call, mailbox)
    line.outcome = f"mailbox {mailbox.extension}: {'a message was left' if outcome.message else outcome.ended_by}"
    return Over(outcome)


def _mailbox(run: ScriptRun, _step: Step, line: VerbLine) -> Over:
    run.answer()
    outcome = run.desk.check_messages(run.call)
    line.outcome = outcome.ended_by
    return Over(outcome)


ACTIONS: dict[str, Action] = {
    "Say": _say,
    "Play": _play,
    "Pause": _pause,
    "Record": record,
    "Gather": gather,
    "Redirect": _redirect,
    "Reject": _reject,
    "Hangup": _hangup,
    "Voicemail": _voicemail,
    "Mailbox": _mailbox,
}
