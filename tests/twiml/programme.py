"""A programmed call in this process: a real server of documents, the real errands, and a scripted caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.account import Account
from tests.calls.scripted import Committed, ScriptedLeg, ScriptedStream
from tests.support import make_settings, until
from voice.call import Call, CallFacts
from voice.errors import CallEnded
from voice.events import Digit, Ended, Event
from voice.flows.outcome import Outcome
from voice.mailbox import MailboxFacts
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter
from voice.prompts import Prompts, payload_path
from voice.twiml.desk import ScriptDesk
from voice.twiml.errand_runner import Runner
from voice.twiml.errands import Sound
from voice.twiml.interpreter import run_script
from voice.twiml.recordings import Place, Recordings
from voice.twiml.script import Script
from voice.twiml.trace import CallState, Entry

FASTER = 50
ACCOUNT = Account("AC" + "2" * 32, "0123456789abcdef0123456789abcdef")
CANCELLED, HUNG_UP = Ended("cancelled"), Ended("caller hung up")
WAV = "audio/x-wav"


@dataclass(frozen=True)
class Asked:
    """A request that came. form: of a POST its body; query: what stands in the URL."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return (self.form if self.method == "POST" else self.query)[name]

    def __contains__(self, name: str) -> bool:
        return name in (self.form if self.method == "POST" else self.query)


@dataclass
class Page:
    status: int = 200
    kind: str = "text/xml"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    meanwhile: Callable[[], object] = lambda: None


class Site:
    """A server of documents on 127.0.0.1. asked: every request, in order. What is not there is a 404."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._pages: dict[str, list[Page]] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                site.answer(self, self.rfile.read(length).decode())

            do_GET = do_POST = handle_any  # noqa: N815 - names that http.server chose

            def log_message(self, *_: Any) -> None:
                """Nothing goes to the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, path: str, verbs: str = "", **page: Any) -> None:
        """A document of these verbs, or another page. Served again, it is the answer to the next request of it."""
        body = page.pop("body", f"<Response>{verbs}</Response>".encode())
        self._pages.setdefault(path, []).append(Page(body=body, **page))

    def of(self, path: str) -> list[Asked]:
        """The requests for a path."""
        return [asked for asked in self.asked if asked.path == path]

    def answer(self, handler: BaseHTTPRequestHandler, body: str) -> None:
        url = urlsplit(handler.path)
        pairs = dict(parse_qsl(url.query, keep_blank_values=True)), dict(parse_qsl(body, keep_blank_values=True))
        self.asked.append(Asked(handler.command, url.path, *pairs))
        pages = self._pages.get(url.path, [Page(404, "text/plain", b"not here")])
        page = pages.pop(0) if len(pages) > 1 else pages[0]
        page.meanwhile()
        handler.send_response(page.status)
        for name, value in ({"Content-Type": page.kind, "Content-Length": str(len(page.body))} | page.headers).items():
            handler.send_header(name, value)
        # A caller who has gone reads no answer.
        with suppress(OSError):
            handler.end_headers()
            handler.wfile.write(page.body)
            handler.wfile.flush()


class Speaker:
    """Says a text as itself: the payload is its letters, so that tests see what was said, and in which language."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.asked: list[tuple[str, str, str]] = []
        self.notice = ""

    def say(self, text: str, language: str, voice: str) -> Sound:
        self.asked.append((text, language, voice))
        path = self._folder / f"{len(self.asked)}.wav"
        for law in Law:
            payload_path(path, law).write_bytes(text.encode())
        return Sound(path, 1.0, language=language, notice=self.notice)

    def close(self) -> None:
        """Nothing runs."""


class Noted:
    """A ledger that keeps all it is told."""

    def __init__(self) -> None:
        self.states: list[CallState] = []
        self.lines: dict[int, list[Entry]] = {}

    def call(self, state: CallState) -> None:
        self.states.append(state)

    def entry(self, entry: Entry) -> None:
        self.lines.setdefault(entry.position, []).append(entry)

    @property
    def statuses(self) -> list[str]:
        """The statuses of the call, each once."""
        return list(dict.fromkeys(state.status for state in self.states))

    def of(self, kind: str) -> list[Entry]:
        """The lines of a kind as they stand in the end."""
        return [lines[-1] for _, lines in sorted(self.lines.items()) if lines[-1].kind == kind]

    def outcome(self, verb: str) -> str:
        """How the last verb of this name ended."""
        return [line.outcome for line in self.of("verb") if line.what == verb][-1]


class QuickCall(Call):
    """A call whose waiting takes a fiftieth of its time."""

    @property
    def now(self) -> float:
        return time.monotonic() * FASTER

    def wait(self, timeout: float | None = None) -> Event | None:
        return super().wait(None if timeout is None else timeout / FASTER)


class Programme:
    """One number, its server, and its callers.

    call(...) runs a call to its end by the voice URL /voice; what the caller does is a script (tests/calls/scripted).
    """

    def __init__(self, folder: Path, writer: SpoolWriter) -> None:
        self.site = Site()
        self.settings = make_settings(folder, VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="127.0.0.0/8")
        speech = folder / "said"
        speech.mkdir(parents=True)
        self.speaker = Speaker(speech)
        self.errands = Runner(self.settings, self.speaker)
        self.ledger = Noted()
        self.committed = Committed()
        self.mailboxes = {"1001": MailboxFacts("box-1", "1001", "Alice", "en", "UTC")}
        self.left: list[tuple[str, str]] = []
        self.checked = 0
        self.faults = 0
        self.most_documents = 50
        self.prompts = Prompts("en")
        self.spool = folder / "spool"
        place = Place(self.spool, ACCOUNT, "https://vm.example.com")
        self.recordings: Any = Recordings(place, self.committed)
        self.script = Script("number-1", "5551234", "en", f"{self.site.base}/voice")
        self.facts = CallFacts("call@pbx", "+4930123", "Bob", ("5551234",))
        self._writer = writer
        self.leg = ScriptedLeg()
        self.stream: ScriptedStream
        self.ended_by = ""

    def close(self) -> None:
        self.errands.close()
        self.site.close()

    @property
    def desk(self) -> ScriptDesk:
        return ScriptDesk(
            errands=self.errands,
            ledger=self.ledger,
            recordings=self.recordings,
            prompts=self.prompts,
            account_sid=ACCOUNT.sid,
            most_documents=self.most_documents,
            find_mailbox=lambda names: next((self.mailboxes[name] for name in names if name in self.mailboxes), None),
            leave_message=self._leave,
            check_messages=self._check,
            on_fault=self._fault,
        )

    def dialled(self, answers: bool = True, **script: Any) -> Call:
        """A call that rings; the caller follows the script."""
        self.leg = ScriptedLeg(answers)
        self.leg.call_id = self.facts.call_id
        call = QuickCall(self.leg, self.facts, self._writer)
        self.leg.post = call.post
        self.stream = self.leg.stream = ScriptedStream(call.post, **script)
        return call

    def run(self, call: Call, mailbox: MailboxFacts | None = None) -> Outcome | None:
        """From the first request to the last; None where the caller ended it."""
        try:
            outcome = run_script(call, self.script, self.desk, mailbox)
        except CallEnded as end:
            self.ended_by = end.reason
            return None
        self.ended_by = outcome.ended_by
        return outcome

    def call(self, verbs: str = "", keys: str = "", **script: Any) -> Outcome | None:
        """A call to a voice URL of these verbs. keys: typed ahead, before anything is heard."""
        if verbs:
            self.site.serve("/voice", verbs)
        call = self.dialled(**script)
        for key in keys:
            call.post(Digit(key))
        return self.run(call)

    @property
    def heard(self) -> list[str]:
        """What was said, in order; a tone of the system by its name, other sounds by their length."""
        return [self._name(payload) for payload in self.stream.played]

    def status_callback(self) -> Asked:
        """The one status callback, waited for."""
        until(lambda: self.site.of("/status"), 10, "the status callback")
        (asked,) = self.site.of("/status")
        return asked

    def _name(self, payload: bytes) -> str:
        law = self.stream.law
        known = {self.prompts.tone("beep", law): "<beep>"}
        for name in ("application_error", "greeting_default", "not_available"):
            for language in ("en", "fr"):
                known[self.prompts.prompt(name, language, law)] = f"<{name} {language}>"
        if payload in known:
            return known[payload]
        if set(payload) == {0xFF}:
            return f"<silence {len(payload) / 8000:g}>"
        return payload.decode() if payload.isascii() else f"<sound {len(payload) / 8000:g}>"

    def _leave(self, call: Call, mailbox: MailboxFacts) -> Outcome:
        self.left.append((mailbox.extension, call.facts.reason))
        call.hangup()
        return Outcome("key", "take-1", 3.0)

    def _check(self, call: Call) -> Outcome:
        self.checked += 1
        call.hangup()
        return Outcome("checked")

    def _fault(self) -> None:
        self.faults += 1
