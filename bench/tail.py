"""How long a caller waits from the last frame to the confirmation tone, before which the message is committed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from app import create_app
from app.extensions import db
from app.models import Message
from bench.capacity import PORT
from bench.load import percentile
from bench.servers import HOST, MAILBOX, Server, voice_worker
from bench.table import show
from bench.verdict import Line
from voice.caller import Caller
from voice.media import g711, tones, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

CALLS = 40
AT_A_TIME = 5
SPEECH_SECONDS = 2.0
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Tail:
    """Milliseconds from the last frame to the tone; uncommitted: tones before the commit."""

    ended_by: str
    calls: int
    p50: float
    p95: float
    longest: float
    uncommitted: int


class Stamped(list[bytes]):
    """Frames heard, with the time of each (monotonic seconds)."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def extend(self, frames: Iterable[bytes]) -> None:
        new = list(frames)
        self.times += [time.monotonic()] * len(new)
        super().extend(new)


def measure(folder: Path) -> list[Line]:
    """The part `tail`."""
    folder.mkdir(parents=True)
    with voice_worker(folder / "instance", PORT, []) as server:
        figures = run(server)
    show(
        "From the last frame to a committed message with the tone started",
        ["ended by", "calls", "p50 ms", "p95 ms", "longest ms", "not committed"],
        [
            [
                figures.ended_by, str(figures.calls), f"{figures.p50:.0f}", f"{figures.p95:.0f}",
                f"{figures.longest:.0f}", str(figures.uncommitted),
            ]
        ],
    )  # fmt: skip
    return [
        Line("last frame to the tone, p95", figures.p95, 150, unit="ms"),
        Line("tones that came before the commit", figures.uncommitted, 0),
    ]


def run(server: Server) -> Tail:
    """CALLS calls, AT_A_TIME at a time, each ended by `#`."""
    assert server.settings is not None
    speech = g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU)
    speech = speech[: int(SPEECH_SECONDS * 8000)]
    app = create_app(server.settings)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        # What a process does only once, such as compiling its statements, is not what callers wait for.
        results = list(pool.map(lambda _: _call(server.port, speech, app), range(AT_A_TIME + CALLS)))[AT_A_TIME:]
    waits = sorted(wait for wait, _ in results)
    return Tail(
        ended_by="#",
        calls=len(waits),
        p50=percentile(waits, 50),
        p95=percentile(waits, 95),
        longest=waits[-1],
        uncommitted=sum(not committed for _, committed in results),
    )


def _call(port: int, speech: bytes, app: Flask) -> tuple[float, bool]:
    """One call: (milliseconds, whether the message was in the database when the tone came)."""
    with Caller(HOST, port) as caller:
        caller.dial(MAILBOX, Law.PCMU)
        heard = caller.audio.frames = Stamped()
        caller.press("#")
        caller.wait_tone(tones.BEEP_HZ, PATIENCE_SECONDS, to_its_end=True)
        caller.speak(speech)
        said, first = time.monotonic(), len(heard)
        caller.audio.press("#")
        silence = Law.PCMU.silence(160)
        caller.wait(lambda: any(frame != silence for frame in heard[first:]), PATIENCE_SECONDS)
        place = next(number for number in range(first, len(heard)) if heard[number] != silence)
        wait = (heard.times[place] - said) * 1000
        committed = _is_committed(app, caller.call_id)
        caller.wait(lambda: caller.ended, PATIENCE_SECONDS)
    return wait, committed


def _is_committed(app: Flask, call_id: str) -> bool:
    with app.app_context():
        return db.session.scalar(db.select(Message.id).where(Message.call_id == call_id)) is not None
