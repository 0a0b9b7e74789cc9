"""Programmed numbers of a voice worker that runs, their server, and what is left of their calls."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from app.models import Call
from app.services import calls, numbers
from app.services.numbers import Details
from tests.peers.instance import Instance, VoiceWorker
from tests.support import until
from tests.twiml.programme import Site

PATIENCE = 30.0
_numbers = count(5550100)


class House:
    """A voice worker that may ask servers on this machine, and a server of documents.

    number() makes a number whose voice URL answers with some verbs.
    """

    def __init__(self, folder: Path) -> None:
        self.instance = Instance(folder, VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="127.0.0.0/8")
        self.instance.mailbox("1001")
        self.worker = VoiceWorker(self.instance)
        self.site = Site()

    def close(self) -> None:
        self.site.close()
        code = self.worker.stop()
        assert code == 0, self.worker.text()[-6000:]
        assert "Traceback" not in self.worker.text(), self.worker.text()[-6000:]

    def number(self, verbs: str, number: str = "", **details: Any) -> str:
        """A number of its own for these verbs; its documents lie under /NUMBER/."""
        number = number or str(next(_numbers))
        self.site.serve(f"/{number}/voice", verbs)
        with self.instance.app.app_context():
            base = f"{self.site.base}/{number}"
            numbers.create(Details(number=number, voice_url=f"{base}/voice", **details), actor="test")
        return number

    def script_of(self, extension: str, voice_url: str) -> None:
        """A document of a mailbox's own, in place of its greeting."""
        with self.instance.app.app_context():
            numbers.create(Details(voice_url=voice_url), extension=extension, actor="test")

    def serve(self, number: str, name: str, verbs: str = "", **page: Any) -> None:
        """Another document of a number, which its others call by this name."""
        self.site.serve(f"/{number}/{name}", verbs, **page)

    def asked(self, number: str, name: str) -> dict[str, str]:
        """The parameters with which a document was asked for, waited for; the last time."""
        path = f"/{number}/{name}"
        until(lambda: self.site.of(path), PATIENCE, f"a request of {path}\n{self.worker.text()[-3000:]}")
        last = self.site.of(path)[-1]
        return last.form if last.method == "POST" else last.query

    def call(self, call_id: str) -> Call:
        """The row of a call that is over, waited for."""
        until(lambda: self._ended(call_id), PATIENCE, f"the end of call {call_id}\n{self.worker.text()[-3000:]}")
        row = self._ended(call_id)
        assert row is not None
        return row

    def verbs(self, call_id: str) -> list[tuple[str, str]]:
        """The verbs that ran in a call, and how each ended."""
        sid = self.call(call_id).sid
        with self.instance.app.app_context():
            return [(step.what, step.outcome) for step in calls.steps(sid) if step.kind == "verb"]

    def _ended(self, call_id: str) -> Call | None:
        with self.instance.app.app_context():
            found, _ = calls.listing(limit=100)
            return next((row for row in found if row.sip_call_id == call_id and row.ended_at), None)
