"""The test call of the first start: a caller of our own leaves a spoken message over real SIP and RTP."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

from app.errors import AppError
from app.jobs import queue

JOB = "place_test_call"


@dataclass(frozen=True)
class Verdict:
    """How the call went: `ok`, and a sentence where it did not."""

    ok: bool
    detail: str = ""


class TestCall:
    """One call under way; start() asks for it, verdict() is None until it is over."""

    def __init__(self, app: Flask, extension: str, language: str) -> None:
        self._app, self._extension, self._language = app, extension, language
        self._job = ""

    def start(self) -> None:
        """Ask the voice side of this host for the call; AppError where the queue is away."""
        with self._app.app_context():
            self._job = queue.enqueue_voice(JOB, self._extension, self._language)

    def verdict(self) -> Verdict | None:
        """What became of the call; None while it is under way."""
        try:
            with self._app.app_context():
                job = queue.voice_job(self._job)
        except AppError:
            return None
        if job["state"] in ("queued", "running"):
            return None
        if job["state"] != "done":
            return Verdict(False, "its job ended early")
        return Verdict(bool(job["result"]["ok"]), str(job["result"]["detail"]))
