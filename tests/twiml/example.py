"""The examples of docs/examples, each as the server that it is, and a caller who only reads documents."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from urllib.parse import urljoin

import httpx
from twilio.request_validator import RequestValidator
from werkzeug.serving import make_server

from voice.twiml.document import Document, Step
from voice.twiml.parse import parse

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
TOKEN = "0123456789abcdef0123456789abcdef"
COMMON = {
    "CallSid": "CA" + "1" * 32, "AccountSid": "AC" + "2" * 32, "From": "+15550001", "To": "5551234",
    "CallStatus": "in-progress", "Direction": "inbound", "ApiVersion": "2010-04-01",
}  # fmt: skip


def load(name: str) -> ModuleType:
    """The module of an example, new each time, since each remembers what its callers did."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def serving(module: ModuleType, host: str = "127.0.0.1") -> Iterator[str]:
    """Its server on a port of its own, and the URL of that."""
    server = make_server(host, 0, module.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


class Reader:
    """Asks as a call does, signed, and keeps the last document."""

    def __init__(self, base: str, **parameters: str) -> None:
        self._client = httpx.Client(timeout=30)
        self._parameters = COMMON | parameters
        self.document = Document(f"{base}/voice", ())
        self.ask("")

    def ask(self, url: str, **more: str) -> list[Step]:
        """The steps of the document at a URL, which may be relative; nothing may be wrong with it."""
        url = urljoin(self.document.url, url)
        form = self._parameters | more
        signature = RequestValidator(TOKEN).compute_signature(url, form)
        answer = self._client.post(url, data=form, headers={"X-Twilio-Signature": signature})
        answer.raise_for_status()
        self.document = parse(answer.content, url, strict=True)
        return list(self.document.steps)

    @property
    def said(self) -> str:
        """All that the caller hears of the last document."""
        return " / ".join(step.text for step in _flat(self.document.steps) if step.name == "Say")

    def step(self, name: str) -> Step:
        """Its only verb of that name."""
        (found,) = [step for step in self.document.steps if step.name == name]
        return found

    def press(self, keys: str) -> list[Step]:
        """Answer its Gather."""
        return self.ask(self.step("Gather").attributes["action"], Digits=keys)

    def redirect(self) -> list[Step]:
        """Follow its Redirect."""
        return self.ask(self.step("Redirect").text)


def _flat(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _flat(step.children)
