"""Programmed calls: how soon a document is heard, and whether a hundred keep their pace. The part `programmed`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from math import inf
from pathlib import Path
from urllib.parse import parse_qs

from app import create_app
from app.services import numbers
from app.services.numbers import Details
from bench import beside, capacity, load, servers
from bench.capacity import PORT
from bench.load import percentile
from bench.servers import HOST, MAILBOX, Server
from bench.table import show
from bench.tail import Stamped
from bench.verdict import Line
from voice.caller import Caller
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

CALLS = 100
TRIES = 60
AT_A_TIME = 3
PATIENCE_SECONDS = 10.0
NETWORKS = "127.0.0.0/8"
SENTENCE = "Welcome to the winter garden. Please hold the line."
# What each number answers, and how its documents are to be heard: (language of Say, or none).
LOOP = (
    '<Response><Gather numDigits="1" timeout="2" action="/loop"><Play>/menu.wav</Play></Gather>'
    '<Record maxLength="3" timeout="0" action="/loop"/><Redirect>/loop</Redirect></Response>'
)
WORDS = ("north", "south", "window", "river", "garden", "seven", "yellow", "station", "letter", "morning")
SPANISH = ("norte", "ventana", "jardin", "siete", "amarillo", "carta", "puerta", "tarde", "libro", "mesa")


@dataclass
class Documents:
    """A developer's server beside us: it stamps when each caller's document left."""

    sent: dict[str, float] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def answer(self, path: str) -> tuple[str, bytes]:
        """Content type and body of a path."""
        number = next(self.numbers)
        say = lambda language, text: f'<Response><Say language="{language}">{text}</Say></Response>'  # noqa: E731
        if path.endswith(".wav"):
            return "audio/wav", (BUILT_IN / "en" / "test_message.wav").read_bytes()
        documents = {
            "/cached": "<Response><Play>/cached.wav</Play></Response>",
            "/new": f"<Response><Play>/new-{number}.wav</Play></Response>",
            "/said": say("en-US", SENTENCE),
            "/say-en": say("en-US", _sentence(WORDS, number)),
            "/say-es": say("es-MX", _sentence(SPANISH, number)),
            "/loop": LOOP,
        }
        return "text/xml", documents[path].encode()


def measure(folder: Path) -> list[Line]:
    """First audio of documents of each kind, and CALLS programmed calls at once."""
    folder.mkdir(parents=True)
    with _serving() as (documents, place):
        waits = _first_audio(folder / "first", documents, place)
        figures = _at_once(folder / "at-once", place)
    names = {"cached": "a cached sound", "new": "a new sound", "said": "a cached sentence",
             "say-en": "a new sentence, English", "say-es": "a new sentence, Spanish"}  # fmt: skip
    show(
        "From a document that left its server to the first audio",
        ["", "calls", "p50 ms", "p95 ms", "longest ms"],
        [
            [names[kind], str(len(times)), *(f"{percentile(times, share):.0f}" for share in (50, 95, 100))]
            for kind, times in waits.items()
        ],
    )
    show(
        f"{CALLS} programmed calls at once: gather, play, record",
        ["answered", "in pace %", "longest ms", "lost in", "CPU ms/call s", "peer late ms"],
        [[str(figures.answered), f"{figures.in_pace:.3f}", f"{figures.longest_ms:.0f}", str(figures.lost_by_us),
          f"{figures.cpu:.2f}", f"{figures.peer_behind_ms:.0f}"]],
    )  # fmt: skip
    soon = max(percentile(waits[kind], 95) for kind in ("cached", "new"))
    new = max(percentile(waits[kind], 95) for kind in ("say-en", "say-es"))
    return [
        Line("document received to first audio, p95", soon, 100, unit="ms"),
        Line("a cached sentence of Say, p95", percentile(waits["said"], 95), 50, unit="ms"),
        Line("a new sentence in English or Spanish, p95", new, 400, unit="ms"),
        Line(
            f"in pace, {CALLS} programmed calls", beside.pace_of(figures, CALLS), capacity.IN_PACE, unit="%", more=True
        ),
    ]


def _first_audio(folder: Path, documents: Documents, place: str) -> dict[str, list[float]]:
    """Milliseconds by kind of document, sorted; the first calls, which fill the caches, are left out."""
    kinds = ("cached", "new", "said", "say-en", "say-es")
    found: dict[str, list[float]] = {}
    with _worker(folder) as server:
        dialled = {kind: f"555000{index}" for index, kind in enumerate(kinds)}
        with create_app(server.settings).app_context():
            for kind, number in dialled.items():
                numbers.create(Details(number=number, voice_url=f"{place}/{kind}"), actor="bench")
        for kind, number in dialled.items():
            _call(server.port, number, documents, f"{kind}-warm")
            with ThreadPoolExecutor(AT_A_TIME) as pool:
                call: Callable[[int], float] = lambda index, kind=kind, number=number: _call(  # noqa: E731
                    server.port, number, documents, f"{kind}-{index}"
                )
                found[kind] = sorted(pool.map(call, range(TRIES)))
    return found


def _call(port: int, number: str, documents: Documents, name: str) -> float:
    """Milliseconds from the document to the first frame that is not silence."""
    with Caller(HOST, port, number=name) as caller:
        caller.dial(number, Law.PCMU)
        heard = caller.audio.frames = Stamped()
        silence = Law.PCMU.silence(160)
        if not caller.wait(lambda: caller.ended or any(frame != silence for frame in heard), PATIENCE_SECONDS):
            return inf
        first = next((at for at, frame in enumerate(heard) if frame != silence), None)
        caller.hang_up()
    return inf if first is None or name not in documents.sent else (heard.times[first] - documents.sent[name]) * 1000


def _at_once(folder: Path, place: str) -> load.Figures:
    """CALLS to a mailbox whose own document gathers, plays and records in turn."""
    folder.mkdir(parents=True)
    speech = folder / "speech.ulaw"
    speech.write_bytes(Law.PCMU.silence(8000))
    peer = load.compile_peer(folder)
    for attempt in range(load.ATTEMPTS):
        with _worker(folder / f"instance-{attempt}") as server:
            with create_app(server.settings).app_context():
                numbers.create(Details(voice_url=f"{place}/loop"), extension=MAILBOX, actor="bench")
            figures = load.run(server, CALLS, folder / str(attempt), peer, speech)
        if capacity.holds(figures) or not capacity.is_disturbed(figures):
            break
    return figures


@contextmanager
def _worker(folder: Path) -> Iterator[Server]:
    with servers.voice_worker(
        folder, PORT, load.on_core(0), VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS=NETWORKS
    ) as server:
        yield server


@contextmanager
def _serving() -> Iterator[tuple[Documents, str]]:
    """The documents and the URL of their server."""
    documents = Documents()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            self._answer(form.get("From", [""])[0])

        def _answer(self, caller: str) -> None:
            kind, body = documents.answer(self.path.partition("?")[0])
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=3600")
            self.end_headers()
            self.wfile.write(body)
            documents.sent.setdefault(caller, time.monotonic())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield documents, f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def _sentence(words: tuple[str, ...], number: int) -> str:
    """A short sentence that was not said before."""
    return " ".join(words[int(digit)] for digit in f"{number:04d}").capitalize() + "."
