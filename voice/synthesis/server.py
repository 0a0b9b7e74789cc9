"""The process of an engine: `python -m voice.synthesis.server ENGINE [FOLDER]`; sentences in, samples out.

A line of JSON on standard input asks: {"text", "voice", "seconds"}. The answer on standard output is a line of JSON,
{"rate", "bytes"}, and so many bytes of 16-bit samples, or {"error"} alone. It ends with its input. A sentence that
takes more than its seconds ends the process, even one that hangs in native code.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from voice.synthesis.engine import Engine, EngineFailed
from voice.synthesis.voices import KOKORO, PICO

# Calls in progress go first.
NICENESS = 5


def main(arguments: list[str]) -> int:
    """Serve an engine until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # Whatever a library prints is no answer.
    os.dup2(2, 1)
    folder = Path(arguments[1]) if len(arguments) > 1 else Path()
    serve(sys.stdin.buffer, answers, lambda: _engine(arguments[0], folder))
    return 0


def serve(questions: BinaryIO, answers: BinaryIO, open_engine: Callable[[], Engine]) -> None:
    """Answer questions until they end. An engine that cannot be opened is told with each."""
    engine: Engine | None = None
    head: dict[str, str | int]
    for line in questions:
        question = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, question["seconds"])
        try:
            engine = engine or open_engine()
            voice = next(each for each in engine.voices if each.name == question["voice"])
            samples = engine.synthesise(question["text"], voice)
        except EngineFailed as error:
            head, body = {"error": str(error)}, b""
        except Exception as error:  # noqa: BLE001 - whatever an engine raises ends one sentence, not the process
            head, body = {"error": f"{type(error).__name__}: {error}"}, b""
        else:
            head, body = {"rate": samples.rate, "bytes": len(samples.pcm16)}, samples.pcm16
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(answers, json.dumps(head).encode() + b"\n" + body)


def _write(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _engine(name: str, folder: Path) -> Engine:
    if name == PICO:
        from voice.synthesis.pico import Pico

        return Pico()
    if name == KOKORO:
        from voice.synthesis.kokoro import Kokoro

        return Kokoro(folder)
    raise EngineFailed(f"There is no engine {name}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
