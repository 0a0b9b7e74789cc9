"""How soon a committed message stands in a browser that has the mailbox open."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from playwright.sync_api import Page, sync_playwright

from app import create_app
from app.config import PROJECT_ROOT, Settings
from app.services import mailboxes, messages, users
from bench.load import percentile
from bench.servers import HOST, MAILBOX, READY_SECONDS, environment, make_instance
from bench.table import show
from bench.verdict import Line

MESSAGES = 20
PORT = 18765
NAME, PASSWORD = "bench", "a password for the benchmark"


@dataclass(frozen=True)
class Sight:
    """Milliseconds from the commit to the row."""

    messages: int
    p50: float
    p95: float
    longest: float


def measure(folder: Path) -> list[Line]:
    """The part `browser`."""
    figures = run(folder / "instance")
    show(
        "From the commit of a message to its row in an open browser",
        ["", "messages", "p50 ms", "p95 ms", "longest ms"],
        [["row", str(figures.messages), f"{figures.p50:.0f}", f"{figures.p95:.0f}", f"{figures.longest:.0f}"]],
    )
    return [Line("commit to the row in an open browser, longest", figures.longest, 3000, unit="ms")]


def run(folder: Path) -> Sight:
    """Save MESSAGES messages, one after the other, while a browser looks at the mailbox."""
    env = environment(folder, WEB_HOST=HOST, WEB_PORT=str(PORT))
    settings = make_instance(env)
    app = create_app(settings)
    with app.app_context():
        users.create(NAME, PASSWORD, "admin", actor="bench")
    with _portal(env), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(base_url=f"http://{HOST}:{PORT}")
        _open_mailbox(page)
        waits = sorted(_wait_for_row(page, app, settings, number) for number in range(MESSAGES))
        chromium.close()
    return Sight(len(waits), percentile(waits, 50), percentile(waits, 95), waits[-1])


@contextmanager
def _portal(env: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app.launch.web"], env=env, cwd=PROJECT_ROOT, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers():
            if time.monotonic() > deadline:
                raise RuntimeError("the portal did not start")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers() -> bool:
    connection = http.client.HTTPConnection(HOST, PORT, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _open_mailbox(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/console/**")
    page.goto(f"/console/voicemail/{MAILBOX}")


def _wait_for_row(page: Page, app: Flask, settings: Settings, number: int) -> float:
    # Another moment of the two seconds between two looks of the page each time.
    time.sleep(0.37 * (number % 6))
    message_id = str(uuid.uuid4())
    with app.app_context():
        messages.save_take(
            messages.Take(
                id=message_id,
                mailbox_id=mailboxes.get(MAILBOX).id,
                caller_number=f"+4930{number:06}",
                caller_name="",
                call_id=message_id,
                received_at=datetime.now(UTC),
                duration=1.0,
                size=8058,
                sha256="0" * 64,
                urgent=False,
                discarded=False,
                host=settings.host_name,
            )
        )
    committed = time.monotonic()
    page.locator(f"#message-{message_id}").wait_for(timeout=30_000)
    return (time.monotonic() - committed) * 1000
