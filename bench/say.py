"""How soon a text of Say is a sound with its payloads on disk: new ones, kept ones, the first after a start. `say`."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.config import Settings
from bench.load import percentile
from bench.table import show
from bench.verdict import Line
from voice.synthesis.synthesis import Synthesis

TEXTS = {
    "en": "You are number {} in the queue. ",
    "es": "Su número de espera es el {}. ",
    "fr": "Votre numéro d'attente est le {}. ",
}
SENTENCES, STARTS, AT_ONCE = 100, 5, 100
NEW_MS, KEPT_MS = 400.0, 50.0


def measure(folder: Path) -> list[Line]:
    """SENTENCES new and kept ones in each language, STARTS of the engine, and AT_ONCE calls that each want another."""
    starts = [_start(folder / f"start-{number}") for number in range(STARTS)]
    speech = Synthesis(Settings(instance=folder))
    rows, worst_new, worst_kept = [["the first after a start", *_cells(starts)]], max(starts), 0.0
    try:
        for language, text in TEXTS.items():
            new = [_say(speech, text.format(number), language) for number in range(SENTENCES)]
            kept = [_say(speech, text.format(number), language) for number in range(SENTENCES)]
            rows += [[f"{language}, new", *_cells(new)], [f"{language}, kept", *_cells(kept)]]
            worst_new, worst_kept = (
                max(worst_new, percentile(sorted(new), 95)),
                max(worst_kept, percentile(sorted(kept), 95)),
            )
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            together = list(threads.map(lambda number: _say(speech, f"Case {number}.", "en"), range(AT_ONCE)))
        rows.append([f"{AT_ONCE} new ones at once", *_cells(together)])
        took = time.monotonic() - began
    finally:
        speech.close()
    show("From a text to its sound", ["", "texts", "p50 ms", "p95 ms", "longest ms"], rows)
    return [
        Line("a new sentence of Say, also the first after a start, p95", worst_new, NEW_MS, unit="ms"),
        Line("a kept sentence of Say, p95", worst_kept, KEPT_MS, unit="ms"),
        Line(f"new sentences a second, {AT_ONCE} at once", AT_ONCE / took, None, 20, more=True),
    ]


def _start(folder: Path) -> float:
    speech = Synthesis(Settings(instance=folder))
    try:
        return _say(speech, "Good morning.", "en")
    finally:
        speech.close()


def _say(speech: Synthesis, text: str, language: str) -> float:
    """Milliseconds until the sound of a text is there."""
    began = time.monotonic()
    speech.say(text, language)
    return (time.monotonic() - began) * 1000


def _cells(times: list[float]) -> list[str]:
    ordered = sorted(times)
    return [str(len(ordered)), *(f"{percentile(ordered, share):.0f}" for share in (50, 95, 100))]
