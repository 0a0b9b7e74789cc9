"""A whole instance with its peers and its callers, in which one thing after the other breaks."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from sqlalchemy import func, select, update

from app.database import writing
from app.extensions import db
from app.models import Delivery, Mailbox
from app.models.delivery import FAILED, PENDING, RUNNING
from app.services import mailboxes, outbox
from tests.faults.chaos import object_store, plan
from tests.faults.chaos.callers import Call, Callers
from tests.faults.chaos.disk import Disk
from tests.faults.chaos.family import Family
from tests.faults.chaos.hook import Hook
from tests.faults.chaos.mail_server import MailServer
from tests.faults.chaos.object_store import Moto, S3Proxy
from tests.faults.chaos.plan import Fault
from tests.faults.chaos.postgres import Postgres
from tests.peers.instance import HOST, PIN, Instance
from tests.support import free_port, until

# Extension: the addresses that its mails go to.
MAILBOXES = {
    "7001": "ann@chaos.example",
    "7002": "bob@chaos.example, office@chaos.example",
    "7003": "",
    "7004": "dan@chaos.example",
}
AT_A_TIME = 10
# So long may it take until all is delivered once the last fault is over.
SETTLE_SECONDS = 150.0
PROGRESS_SECONDS = 10.0
LOG_TAIL = 3000


class Place(Protocol):
    """Where faults happen."""

    name: str

    def go_wrong(self, how: str) -> None: ...

    def recover(self, how: str) -> None: ...


class Chaos:
    """Use as a context manager; run() as often as wanted, then count.look(chaos).

    kills: faults that may have cut a delivery off between its end and its outcome. given_up: deliveries that had
    failed for good when they were tried again by hand, by kind and error. say: told of each line of the timeline.
    """

    def __init__(self, folder: Path, seed: int, say: Callable[[str], None] = lambda line: None) -> None:
        self._folder, self.seed, self._say = folder, seed, say
        self._stack = ExitStack()
        self._began = time.monotonic()
        self.timeline: list[str] = []
        self.kills = self.faults = 0
        self.given_up: Counter[str] = Counter()
        self.failed_calls: Counter[str] = Counter()
        self.calls: list[Call] = []

    def __enter__(self) -> Chaos:
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self.postgres = Postgres()
            stack.callback(self.postgres.close)
            self.mail, self.hook = MailServer(), Hook()
            stack.callback(self.mail.close)
            stack.callback(self.hook.close)
            self.moto = Moto(folder)
            stack.callback(self.moto.close)
            self.proxy = S3Proxy(self.moto.port)
            stack.callback(self.proxy.close)
            self.disk = Disk(folder / "disk", lambda: self.family.pids("voice"))
            stack.callback(self.disk.close)
            self.instance = Instance(folder / "instance", **self._variables())
            del self.instance.environment["REDIS_URL"]
            self._make_mailboxes()
            self.family = Family(self.instance, random.Random(self.seed))
            stack.enter_context(self.family)
            self._stack = stack.pop_all()
        places = (self.family, self.disk, self.postgres, self.proxy, self.mail, self.hook)
        self._places: dict[str, Place] = {place.name: place for place in places}
        return self

    def __exit__(self, *_: object) -> None:
        with self.instance.app.app_context():
            db.engine.dispose()
        self._stack.close()

    def run(self, seed: int, seconds: float, messages: int) -> None:
        """A round: faults for so many seconds, calls until so many more are confirmed; then wait for all to arrive."""
        faults = plan.make(seed, seconds)
        callers = Callers(self.instance.settings.sip.port, list(MAILBOXES), seed, AT_A_TIME)
        self.say(f"round of seed {seed}: {len(faults)} faults, {messages} messages")
        callers.start()
        try:
            until(lambda: callers.confirmed, 60, "a first message")
            self._break_things(faults, callers)
            until(lambda: callers.confirmed >= messages, 120 + seconds, f"{messages} callers who heard the tone")
        finally:
            callers.stop()
            self.calls += callers.calls
            self.failed_calls += callers.failed
        self.say(f"{callers.confirmed} heard the tone; calls that broke off: {dict(callers.failed)}")
        self._settle()

    def say(self, line: str) -> None:
        """A line of the timeline."""
        self.timeline.append(f"{time.monotonic() - self._began:7.1f} s  {line}")
        self._say(self.timeline[-1])

    def report(self) -> str:
        """What somebody needs who wants to know why: the seed, the timeline, the ends of all logs."""
        logs = [f"--- {path.name}\n{path.read_text(errors='replace')[-LOG_TAIL:]}" for path in self.family.logs]
        return "\n".join([f"seed {self.seed}", *self.timeline, *logs])

    def _break_things(self, faults: list[Fault], callers: Callers) -> None:
        began = time.monotonic()
        acts: list[tuple[float, int, Callable[[], None]]] = []
        for number, fault in enumerate(faults):
            acts.append((fault.at, number, lambda fault=fault: self._begin(fault)))  # type: ignore[misc]
            acts.append((fault.at + fault.seconds, number, lambda fault=fault: self._end(fault)))  # type: ignore[misc]
        told_at = began
        # Where two are due at once, the earlier one's end comes first and nothing ends before it began.
        for at, _, act in sorted(acts, key=lambda one: one[:2]):
            while (left := began + at - time.monotonic()) > 0:
                time.sleep(min(left, 1.0))
                if time.monotonic() - told_at > PROGRESS_SECONDS:
                    told_at = time.monotonic()
                    self.say(f"  {callers.confirmed} messages, {sum(callers.failed.values())} calls broke off")
            act()

    def _begin(self, fault: Fault) -> None:
        self.say(str(fault))
        self.faults += 1
        self.kills += fault.where in ("kill", "postgresql")
        self._places[fault.where].go_wrong(fault.how)

    def _end(self, fault: Fault) -> None:
        self._places[fault.where].recover(fault.how)

    def _settle(self) -> None:
        """Wait until nothing is owed any more; what failed for good is tried again, as staff would."""

        def settled() -> bool:
            with self.instance.app.app_context():
                self._try_failed_again()
                owed = select(func.count()).select_from(Delivery).where(Delivery.state.in_((PENDING, RUNNING, FAILED)))
                left = db.session.scalar(owed)
            return not left and not self._takes_in_spool()

        began = time.monotonic()
        try:
            until(settled, SETTLE_SECONDS, "all is delivered and the spool is empty", every=0.2)
        except AssertionError:
            # The count says what is missing.
            self.say(f"not everything was delivered within {SETTLE_SECONDS:g} s")
            return
        self.say(f"everything was delivered {time.monotonic() - began:.1f} s after the last call")

    def _try_failed_again(self) -> None:
        for row in db.session.scalars(select(Delivery).where(Delivery.state == FAILED)):
            self.given_up[f"{row.kind}: {row.last_error}"] += 1
        db.session.rollback()
        outbox.try_again(Delivery.state == FAILED)

    def _takes_in_spool(self) -> list[str]:
        return sorted(path.name for path in self.instance.settings.spool_dir.rglob("*") if path.is_file())

    def _variables(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.postgres.url,
            "WEB_PORT": str(free_port()),
            "VOICEMAIL__SPOOL_DIR": str(self.disk.folder / "spool"),
            # Everything that is said is a message, and nothing of it is kept beside it.
            "VOICEMAIL__MIN_SPEECH": "0",
            "VOICEMAIL__RETENTION__TRIMMED_DAYS": "0",
            "VOICEMAIL__DELIVERY__LEASE_SECONDS": "2",
            "VOICEMAIL__DELIVERY__RELAY_SECONDS": "0.2",
            "VOICEMAIL__DELIVERY__RETRY_FIRST_SECONDS": "0.2",
            "VOICEMAIL__DELIVERY__RETRY_LONGEST_SECONDS": "3",
            "VOICEMAIL__SMTP__HOST": HOST,
            "VOICEMAIL__SMTP__PORT": str(self.mail.port),
            "VOICEMAIL__SMTP__FROM": "voicemail@chaos.example",
            "VOICEMAIL__SMTP__USE_TLS": "false",
            "VOICEMAIL__SMTP__TIMEOUT": "1.5",
            "VOICEMAIL__WEBHOOK__URL": self.hook.url,
            "VOICEMAIL__WEBHOOK__ALLOWED_NETWORKS": f"{HOST}/32",
            "VOICEMAIL__WEBHOOK__TIMEOUT_SECONDS": "1.5",
            **object_store.variables(self.proxy.url),
        }

    def _make_mailboxes(self) -> None:
        with self.instance.app.app_context():
            for extension, email in MAILBOXES.items():
                box = mailboxes.create(extension, pin=PIN, actor="test")
                with writing():
                    db.session.execute(update(Mailbox).where(Mailbox.id == box.id).values(email=email))
            # Nothing of this process may be in the way when the database goes.
            db.session.remove()
            db.engine.dispose()
