"""A programmed call from its first request to its last, in the call's own thread."""

from __future__ import annotations

import logging

from voice.call import Call
from voice.errors import CallEnded, SpoolError
from voice.flows.outcome import Outcome
from voice.mailbox import MailboxFacts
from voice.twiml import codes, parameters
from voice.twiml.actions import ACTIONS, hang_up
from voice.twiml.call_record import CANCELED, COMPLETED, FAILED, NO_ANSWER, CallRecord, new_sid
from voice.twiml.desk import ScriptDesk
from voice.twiml.document import Document
from voice.twiml.errands import ErrandFailed
from voice.twiml.script import APOLOGY, Script
from voice.twiml.script_run import GoTo, Over, ScriptRun
from voice.twiml.urls import shown
from voice.verbs import Play

log = logging.getLogger(__name__)
MOST_IN_ALL, MOST_FALLBACKS = 2000, 10
"""Documents of one call, whatever happens between them, and how often its fallback is asked: more than any caller's
patience."""
ERROR = "error"


def run_script(
    call: Call, script: Script, desk: ScriptDesk, mailbox: MailboxFacts | None = None, sid: str = ""
) -> Outcome:
    """Answer a call by the documents of a script, to its end; CallEnded where the caller ends it.

    mailbox: whose greeting it stands for, None for a number's. sid: where the call has one already.
    What cannot be had goes to the fallback URL; without one the caller hears an apology, or the mailbox itself.
    """
    record = CallRecord(call, script, desk, sid or new_sid())
    run = ScriptRun(call, script, desk, record, mailbox)
    log.info("call=%s number=%s is programmed: sid=%s", call.facts.call_id, script.number, record.sid)
    status, why = FAILED, ERROR
    try:
        over = _to_the_end(run)
        status, why = over.status or COMPLETED, over.outcome.ended_by
        return over.outcome
    except CallEnded as end:
        status, why = _status_of(run, end.reason), end.reason
        raise
    finally:
        _close(run, status, why)


def _to_the_end(run: ScriptRun) -> Over:
    """The documents, and what stands in for them where they fail."""
    try:
        return Documents(run).run()
    except ErrandFailed as failure:
        return _stand_in(run, failure)


def _stand_in(run: ScriptRun, failure: ErrandFailed) -> Over:
    """No message is lost for a script that fails: the mailbox answers itself. A number apologises."""
    run.record.fault(failure.code, str(failure))
    if run.mailbox is not None:
        run.journal.failure(failure, "The mailbox answers itself, with its greeting.")
        run.answer()
        return Over(run.desk.leave_message(run.call, run.mailbox))
    run.journal.failure(failure, "The caller hears an apology.")
    run.answer()
    Play(run.desk.prompts.prompt(APOLOGY, run.script.language, run.call.law)).run(run.call)
    hang_up(run)
    return Over(Outcome(ERROR))


class Documents:
    """One document after the other, within the limits of how many."""

    def __init__(self, run: ScriptRun) -> None:
        self._run = run
        self._in_a_row = self._in_all = self._fallbacks = 0

    def run(self) -> Over:
        """To the end of the call; ErrandFailed where there is no fallback, or it fails as well."""
        script = self._run.script
        following: GoTo = GoTo(script.voice_url, script.voice_method)
        falling_back = False
        while True:
            try:
                step = self._tried(following)
            except ErrandFailed as failure:
                facts = self._run.call.facts
                log.warning("call=%s to=%s error=%d %s", facts.call_id, script.number, failure.code, failure)
                if falling_back or not self._may_fall_back():
                    raise
                following, falling_back = self._fallback(failure), True
                continue
            if isinstance(step, Over):
                return step
            following, falling_back = step, False

    def _tried(self, goto: GoTo) -> GoTo | Over:
        """As _one(). What fails on this side fails the document as well: another one may do without it."""
        try:
            return self._one(goto)
        except (ErrandFailed, CallEnded):
            raise
        except (SpoolError, OSError) as error:
            raise ErrandFailed(codes.INTERNAL, str(error)) from error
        except Exception as error:
            log.exception("call=%s its documents failed by a fault of ours", self._run.call.facts.call_id)
            self._run.desk.on_fault()
            text = f"A fault of this program, which its log describes: {type(error).__name__}."
            raise ErrandFailed(codes.INTERNAL, text) from error

    def _may_fall_back(self) -> bool:
        """Whether the fallback is still asked. Where the caller has gone, nobody would hear what it says."""
        gone = self._run.call.ended is not None
        return bool(self._run.script.fallback_url) and self._fallbacks < MOST_FALLBACKS and not gone

    def _one(self, goto: GoTo) -> GoTo | Over:
        """A document and its steps; what follows it."""
        self._count(goto)
        document = self._run.fetch(goto)
        return self._steps(document) or hang_up(self._run)

    def _steps(self, document: Document) -> GoTo | Over | None:
        for step in document.steps:
            with self._run.journal.verb(step) as line:
                following = ACTIONS[step.name](self._run, step, line)
            if following is not None:
                return following
        return None

    def _fallback(self, failure: ErrandFailed) -> GoTo:
        run, script = self._run, self._run.script
        self._fallbacks, self._in_a_row = self._fallbacks + 1, 0
        run.record.fault(failure.code, str(failure))
        run.journal.failure(failure, "The fallback URL is asked.")
        extra = (("ErrorCode", str(failure.code)), ("ErrorUrl", failure.url or shown(run.document.url)))
        return GoTo(script.fallback_url, script.fallback_method, extra)

    def _count(self, goto: GoTo) -> None:
        """Keep documents that lead to each other from going on for ever."""
        most = self._run.desk.most_documents
        self._in_a_row = 1 if self._run.moved else self._in_a_row + 1
        self._in_all += 1
        if self._in_a_row > most:
            text = f"{most} documents followed each other, and nothing happened for the caller."
            raise ErrandFailed(codes.TOO_MANY_REDIRECTS, text, shown(goto.url))
        if self._in_all > MOST_IN_ALL:
            text = f"The call has had {MOST_IN_ALL} documents, the most there may be."
            raise ErrandFailed(codes.TOO_MANY_REDIRECTS, text, shown(goto.url))


def _status_of(run: ScriptRun, reason: str) -> str:
    """The last status of a call that ended in the midst of something."""
    if run.call.answered:
        return COMPLETED
    if reason in ("cancelled", "caller hung up"):
        return CANCELED
    return FAILED if reason in ("error", "no ACK") else NO_ANSWER


def _close(run: ScriptRun, status: str, why: str) -> None:
    """Write the end down, and tell whoever wants to know."""
    run.record.end(status, why)
    script = run.script
    if script.status_callback:
        pairs = (*run.parameters(), *parameters.of_status(run.record))
        run.tell(script.status_callback, script.status_callback_method, pairs)
    run.desk.errands.over(run.record.sid)
