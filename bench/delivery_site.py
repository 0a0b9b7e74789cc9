"""An instance with job workers, relay and Valkey, and around it all that deliveries go to, none of which ever fails."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, insert, select, text, update

from app.database import writing
from app.extensions import db
from app.models import Delivery, Message
from app.models.base import new_id, utc_now
from app.models.delivery import DONE, PENDING, RUNNING
from app.models.message import NEW
from app.services import deposit, mailboxes, outbox, outbox_rows
from tests.faults.chaos import object_store
from tests.faults.chaos.family import VALKEY, Family
from tests.faults.chaos.faulty import HOST, Arrival
from tests.faults.chaos.hook import Hook
from tests.faults.chaos.mail_server import MailServer
from tests.faults.chaos.object_store import Moto, S3Proxy
from tests.peers.instance import PIN, Instance
from tests.servers import fresh_database
from tests.sip.peer import Peer
from tests.sip.subscriber import ACCEPT, Subscriber
from tests.support import make_settings, until
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

SECONDS = 2.0
JOBS = ("jobs", "relay")
READY_SECONDS = 60.0
# How often what an outage left behind was tried.
TRIED = 3
_COUNTS = b"Voice-Message: "


class Site:
    """Use as a context manager. processes: which of the instance's run. s3: recordings go to S3 instead of the disk."""

    def __init__(
        self,
        folder: Path,
        database: str,
        processes: Iterable[str] = JOBS,
        boxes: int = 8,
        s3: bool = False,
        **more: str,
    ) -> None:
        self._folder, self._database, self._more = folder, database, more
        self._processes, self._boxes, self._s3 = (VALKEY, *processes), boxes, s3

    def __enter__(self) -> Site:
        with ExitStack() as stack:
            self.mail, self.hook = MailServer(), Hook()
            stack.callback(self.mail.close)
            stack.callback(self.hook.close)
            variables = self._variables()
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._database != "sqlite":
                variables["DATABASE_URL"] = stack.enter_context(fresh_database(self._database))
            if self._s3:
                self.moto = Moto(self._folder)
                stack.callback(self.moto.close)
                self.proxy = S3Proxy(self.moto.port)
                stack.callback(self.proxy.close)
                variables |= object_store.variables(self.proxy.url)
            self.instance = Instance(self._folder, **(variables | self._more))
            self.app = self.instance.app
            with self.app.app_context():
                self.boxes = [self._make_box(number) for number in range(self._boxes)]
                db.session.remove()
            self.family = stack.enter_context(Family(self.instance, names=self._processes))
            stack.callback(self._let_go)
            until(self.instance.settings.valkey_socket.exists, READY_SECONDS, "Valkey listens")
            speech = g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU)
            self.audio = speech[: int(SECONDS * 8000)]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def save(self, number: int) -> tuple[str, float]:
        """A message as the keeper saves one; its id, and when it was committed (monotonic seconds)."""
        settings, message_id = self.instance.settings, new_id()
        path = settings.spool_dir / f"{message_id}.wav"
        path.write_bytes(wav.header(Law.PCMU, len(self.audio)) + self.audio)
        (settings.spool_dir / f"{message_id}.json").write_text(json.dumps({"id": message_id, "state": "complete"}))
        take = deposit.Take(
            id=message_id,
            mailbox_id=self.boxes[number % len(self.boxes)],
            caller_number=f"+8150{number:08d}",
            caller_name="",
            call_id=f"{message_id}@bench",
            received_at=datetime.now(UTC),
            duration=SECONDS,
            size=path.stat().st_size,
            sha256=wav.sha256_of(path),
            urgent=False,
            discarded=False,
            host=settings.host_name,
        )
        with self.app.app_context():
            deposit.save_take(take)
            committed = time.monotonic()
            db.session.remove()
        return message_id, committed

    def owe(self, count: int) -> None:
        """So many messages whose mails and webhooks an outage has left behind, each tried before and due now."""
        source, _ = self.save(0)
        self.wait_done()
        with self.app.app_context():
            stored = db.session.get_one(Message, source)
            usual = {"size": stored.size, "sha256": stored.sha256, "duration": SECONDS, "state": NEW, "urgent": False}
            usual |= {"storage_key": stored.storage_key, "caller_number": "+815000000000", "received_at": utc_now()}
            rows = [
                {**usual, "id": new_id(), "mailbox_id": self.boxes[number % len(self.boxes)], "created_at": utc_now()}
                for number in range(count)
            ]
            with writing():
                db.session.execute(insert(Message), rows)
                for row in rows:
                    message = Message(id=row["id"], mailbox_id=row["mailbox_id"])
                    db.session.add_all(outbox_rows.for_message(message, new_id(), self.instance.settings))
                db.session.flush()
                owed = Delivery.message_id.in_(select(Message.id).where(Message.storage_key == stored.storage_key))
                owed &= Delivery.message_id != source
                tried = update(Delivery).where(owed, Delivery.state == PENDING).values(attempts=TRIED, fencing=TRIED)
                db.session.execute(tried.execution_options(synchronize_session=False))
                done = update(Delivery).where(owed, Delivery.kind == outbox.UPLOAD).values(state=DONE)
                db.session.execute(done.execution_options(synchronize_session=False))
            db.session.remove()

    def keep_statistics(self) -> None:
        """What autovacuum does on a server by itself, and what one for tests may lack."""
        with self.app.app_context():
            if db.engine.dialect.name == "postgresql":
                with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("VACUUM ANALYZE"))

    def owed(self, *, tried: int = 0) -> int:
        """Deliveries that are not done and were tried so often before."""
        owed = Delivery.state.in_((PENDING, RUNNING)) & (Delivery.attempts >= tried)
        with self.app.app_context():
            number = db.session.scalar(select(func.count()).select_from(Delivery).where(owed)) or 0
            db.session.remove()
        return number

    def wait_done(self, seconds: float = 600.0) -> None:
        """Until nothing is owed."""

        def done() -> bool:
            time.sleep(0.05)
            return not self.owed()

        until(done, seconds, "every delivery is done")

    def _make_box(self, number: int) -> str:
        box_id = mailboxes.create(str(7001 + number), pin=PIN, email=f"box{number}@bench.example", actor="bench").id
        db.session.rollback()
        return box_id

    def _variables(self) -> dict[str, str]:
        return {
            "REDIS_URL": f"unix://{make_settings(self._folder).valkey_socket}",
            "VOICEMAIL__SMTP__HOST": HOST,
            "VOICEMAIL__SMTP__PORT": str(self.mail.port),
            "VOICEMAIL__SMTP__FROM": "voicemail@bench.example",
            "VOICEMAIL__SMTP__USE_TLS": "false",
            "VOICEMAIL__WEBHOOK__URL": self.hook.url,
            "VOICEMAIL__WEBHOOK__ALLOWED_NETWORKS": f"{HOST}/32",
        }

    def _let_go(self) -> None:
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()


class Lamps(threading.Thread):
    """Phones, one for each mailbox of a site. lit: when each was told of so many new messages, and of fewer."""

    def __init__(self, site: Site) -> None:
        super().__init__(name="lamps", daemon=True)
        port = site.instance.settings.sip.port
        self.lit: dict[tuple[str, int], float] = {}
        self._phones: dict[socket.socket, tuple[Subscriber, str]] = {}
        self._over = threading.Event()
        for number, box_id in enumerate(site.boxes):
            phone = Subscriber(Peer((HOST, port)), uri=f"sip:{7001 + number}@{HOST}:{port}")
            until(lambda phone=phone: self._subscribe(phone), READY_SECONDS, "a subscription is taken")
            self._phones[phone.peer._socket] = (phone, box_id)

    def run(self) -> None:
        """Answer each NOTIFY until stop()."""
        import select as sockets

        while not self._over.is_set():
            for ready in sockets.select(list(self._phones), [], [], 0.2)[0]:
                self._notified(*self._phones[ready])

    def stop(self) -> None:
        """Listen no more."""
        self._over.set()
        self.join()

    def _notified(self, phone: Subscriber, box_id: str) -> None:
        told = phone.notified().content
        now = time.monotonic()
        new = int(told.partition(_COUNTS)[2].partition(b"/")[0] or 0)
        for count in range(1, new + 1):
            self.lit.setdefault((box_id, count), now)

    @staticmethod
    def _subscribe(phone: Subscriber) -> bool:
        with suppress(AssertionError, OSError):
            return phone.subscribe(ACCEPT).code == 200
        return False


def first_arrivals(arrivals: Iterable[Arrival], ids: set[str]) -> dict[str, float]:
    """When each of these messages arrived first."""
    found: dict[str, float] = {}
    for arrival in arrivals:
        for message_id in arrival.ids & ids:
            found.setdefault(message_id, arrival.at)
    return found
