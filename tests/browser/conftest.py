"""A real portal for real browsers: gunicorn, job worker, Valkey and, where a test calls, a voice worker."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from app.services import users
from tests.conftest import Login, leave_message, running_valkey
from tests.peers.instance import Instance, Process, VoiceWorker
from tests.support import free_port, missing, until

ADMIN = Login("anna", "the password of anna")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
]
_numbers = count(3001)


@dataclass
class Site:
    """A portal that runs. url: its address; complaints: what browsers reported as wrong so far."""

    instance: Instance
    url: str
    complaints: list[str] = field(default_factory=list)

    def mailbox(self, extension: str = "") -> str:
        """A mailbox that no other test uses."""
        return self.instance.mailbox(extension or str(next(_numbers)))

    def message(self, extension: str, **facts: object) -> str:
        """Leave a message and upload it; its id."""
        with self.instance.app.app_context():
            return leave_message(self.instance.app, extension, **facts)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    executable = shutil.which("chromium")
    if executable is None:
        missing("chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The portal with its job worker, and a Valkey of its own: the worker would take the jobs of other tests."""
    with ExitStack() as stack:
        yield _start(tmp_path_factory.mktemp("site"), stack)


def _start(folder: Path, stack: ExitStack) -> Site:
    port = free_port()
    instance = Instance(
        folder,
        REDIS_URL=stack.enter_context(running_valkey()),
        WEB_HOST="127.0.0.1",
        WEB_PORT=str(port),
        VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="127.0.0.0/8",
        VOICEMAIL__WEBHOOK__HEADERS='{"Authorization" = "Bearer hidden-from-the-page"}',
    )
    with instance.app.app_context():
        users.create(*ADMIN, "admin", actor="test")
    for arguments in (("app.launch.web",), ("app.jobs", "worker")):
        process = Process(instance, *arguments)
        stack.callback(process.stop)
    until(lambda: _is_ready(port), 60, f"the portal: {instance.folder}")
    return Site(instance, f"http://127.0.0.1:{port}")


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture(scope="session")
def voice(site: Site) -> Iterator[VoiceWorker]:
    """A voice worker beside the portal."""
    worker = VoiceWorker(site.instance)
    try:
        yield worker.wait_ready()
    finally:
        worker.stop()


# A refused form, an unknown page, a session that ended and a proxy whose portal is away are answers that the console
# calls errors. What htmx asks for while its page is left is cut off.
HARMLESS = (
    *(f"status of {code}" for code in (401, 404, 413, 422, 502)),
    *("Error Code 413", "Error Code 502", "htmx:afterRequest", "htmx:sendAbort", "htmx:sendError"),
)


@pytest.fixture
def open_browser(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """open_browser(javascript=True, width=1200, log_in=True): a page of a fresh browser that must not complain."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(javascript: bool = True, width: int = 1200, log_in: bool = True) -> Page:
        context = browser.new_context(
            base_url=site.url, viewport={"width": width, "height": 800}, java_script_enabled=javascript
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: _judge_origin(asked.url, site.url, complaints))
        if log_in:
            enter(page)
        return page

    yield make
    for context in contexts:
        context.close()
    assert [line for line in complaints if not any(harmless in line for harmless in HARMLESS)] == []


def _judge_origin(url: str, home: str, complaints: list[str]) -> None:
    if urlsplit(url).scheme in ("http", "https") and not url.startswith(home):
        complaints.append(f"{url} is somewhere else")


def enter(page: Page, login: Login = ADMIN) -> None:
    """Log in."""
    page.goto("/login")
    page.get_by_label("User name").fill(login.name)
    page.get_by_label("Password").fill(login.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/console/**")


@pytest.fixture
def page(open_browser: Callable[..., Page]) -> Page:
    """A page of somebody who has logged in."""
    return open_browser()


@pytest.fixture
def wav_file(site: Site) -> Path:
    """A greeting to upload."""
    return site.instance.folder / "sounds" / "en" / "greeting_default.wav"
