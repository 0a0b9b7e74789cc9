"""A programmed call as its verbs see it: how they ask, fetch sounds, answer, and say how it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app.net import BadRequest
from voice.call import PROGRAMMED, Call
from voice.flows.outcome import Outcome
from voice.mailbox import MailboxFacts
from voice.prompts import payload_path
from voice.twiml import codes, parameters
from voice.twiml.call_record import CallRecord
from voice.twiml.desk import ScriptDesk
from voice.twiml.document import Document
from voice.twiml.errands import Ask, ErrandFailed, Fetched, Sound
from voice.twiml.parameters import Parameters
from voice.twiml.script import Script
from voice.twiml.urls import joined, shown
from voice.twiml.waiting import wait_for

Brought = TypeVar("Brought", Fetched, Sound)


@dataclass(frozen=True)
class GoTo:
    """The call goes on with another document. extra: parameters beside those of every request."""

    url: str
    method: str
    extra: Parameters = ()


@dataclass(frozen=True)
class Over:
    """The call has come to its end. status: as Twilio has it, where it was never answered."""

    outcome: Outcome
    status: str = ""


class ScriptRun:
    """One programmed call. document: the current one.

    moved: something has happened for the caller since the last document came: heard, done, or waited for.
    """

    def __init__(
        self, call: Call, script: Script, desk: ScriptDesk, record: CallRecord, mailbox: MailboxFacts | None
    ) -> None:
        self.call, self.script, self.desk, self.record, self.mailbox = call, script, desk, record, mailbox
        self.journal = record.journal
        self.document = Document(script.voice_url, ())
        self.moved = False

    def answer(self) -> None:
        """Take the call, where it rings yet; CallEnded."""
        if not self.call.answered:
            self.call.answer()
            self.record.answer()
            self.call.enter(PROGRAMMED)

    def resolve(self, url: str) -> str:
        """A URL of the current document; an empty one is the document's own."""
        try:
            return joined(self.document.url, url)
        except BadRequest as error:
            raise ErrandFailed(codes.INVALID_URL, str(error), shown(url)) from None

    def go_on(self, url: str, method: str, *extra: tuple[str, str]) -> GoTo:
        """With what a verb's action or Redirect names."""
        return GoTo(self.resolve(url), method, extra)

    def fetch(self, goto: GoTo) -> Document:
        """The next document, which is the current one from here on; ErrandFailed, CallEnded."""
        ask = self._ask(goto)
        self.document = self._errand(lambda: self.desk.errands.document(ask)).document
        self.moved = False
        for notice in self.document.notices:
            self.journal.notice(notice)
        return self.document

    def post_last(self, goto: GoTo, status: str) -> None:
        """A request when the call is over: nobody runs its document any more. status: the CallStatus that it tells."""
        ask = self._ask(goto, status)
        try:
            self._traced(lambda: self.desk.errands.document(ask))
        except ErrandFailed as failure:
            if _arrived(failure):
                # It is told; an answer that is no document is none that anybody looks at.
                return
            self.journal.note(f"The last request of the call failed: {failure}", failure.code)
            self.record.fault(failure.code, str(failure))

    def tell(self, url: str, method: str, pairs: Parameters) -> None:
        """A callback with exactly these parameters, which nobody waits for."""
        self.desk.errands.callback(Ask(self.record.sid, url, method, pairs), self.journal.exchanges)

    def sound(self, url: str) -> bytes:
        """The payload of a sound of Play; ErrandFailed, CallEnded."""
        return self._payload(lambda: self.desk.errands.sound(url))

    def speech(self, text: str, language: str, voice: str) -> bytes:
        """The payload of what Say says; ErrandFailed, CallEnded."""
        return self._payload(lambda: self.desk.errands.speech(text, language, voice))

    def parameters(self, status: str = "") -> Parameters:
        """Those of every request; status: another CallStatus than the call's."""
        return parameters.of_call(self.call, self.record, self.desk.account_sid, self.script.number, status)

    def _ask(self, goto: GoTo, status: str = "") -> Ask:
        return Ask(self.record.sid, goto.url, goto.method, (*self.parameters(status), *goto.extra))

    def _payload(self, errand: Callable[[], Sound]) -> bytes:
        def bring() -> bytes:
            sound = self._traced(errand)
            if sound.notice:
                self.journal.note(sound.notice, codes.SAY_LANGUAGE)
            try:
                return payload_path(sound.path, self.call.law).read_bytes()
            except OSError as error:
                raise ErrandFailed(codes.INTERNAL, f"The sound cannot be read: {error.strerror}.") from error

        return wait_for(self.call, bring)

    def _errand(self, errand: Callable[[], Brought]) -> Brought:
        return wait_for(self.call, lambda: self._traced(errand))

    def _traced(self, errand: Callable[[], Brought]) -> Brought:
        """Go, and write every request down, also of an errand that failed or that nobody waits for any more."""
        try:
            brought = errand()
        except ErrandFailed as failure:
            self.journal.exchanges(failure.exchanges)
            raise
        self.journal.exchanges(brought.exchanges)
        return brought


def _arrived(failure: ErrandFailed) -> bool:
    """Whether the server took the request, and it is only its answer that is no document."""
    return bool(failure.exchanges) and 200 <= failure.exchanges[-1].status < 300
