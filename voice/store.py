"""The door from the voice side to the application: mailboxes in, takes out (voice/take_store.py).

It runs in the keeper process (voice/keeper.py), never in the process that paces media.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import redis
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from app.config import Settings
from app.errors import NotFound
from app.extensions import db
from app.models import Alias, Greeting, Mailbox, Number
from app.models.greeting import TEMPORARY
from app.services import (
    fields,
    greetings,
    lamps,
    mailboxes,
    numbers,
    prompts,
    quota,
    subscriptions,
    trace_rows,
)
from voice.mailbox import MailboxFacts, MessageCounts
from voice.sound_cache import SoundCache
from voice.take_store import TakeStore
from voice.twiml.script import Script

log = logging.getLogger(__name__)
HEARTBEAT_TTL_SECONDS = 15


class Store(TakeStore):
    """The application as the voice worker sees it. Each method is one piece of work and one session."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.greetings = SoundCache(settings.instance / "voice" / "greetings")
        self.prompts = SoundCache(settings.instance / "voice" / "prompts")
        self._redis = redis.Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=2)
        self._seen: object = None

    def find_mailbox(self, extensions: Iterable[str]) -> MailboxFacts | None:
        """The first of these extensions that has a living mailbox."""
        wanted = [name for name in dict.fromkeys(extensions) if fields.is_extension(name)]
        with self._app.app_context():
            box = mailboxes.find(wanted)
            return self._facts(box, quota.of(box)) if box else None

    def find_script(
        self, dialled: Sequence[str], extensions: Sequence[str]
    ) -> tuple[Script | None, MailboxFacts | None]:
        """What answers a call, see app/services/numbers.py: a script, a mailbox, or a mailbox with its own script."""
        with self._app.app_context():
            number, box = numbers.answering(dialled, extensions)
            facts = self._facts(box, quota.of(box)) if box else None
            called = dialled[0] if dialled else facts.extension if facts else ""
            return (_script(number, called) if number else None), facts

    def script_of(self, number_id: str, called: str = "") -> tuple[Script | None, MailboxFacts | None]:
        """The script of a number, and the mailbox whose own it is; called: what was dialled, empty for the number."""
        with self._app.app_context():
            try:
                line = numbers.get(number_id)
            except NotFound:
                return None, None
            facts = self._facts(box) if line.extension and (box := mailboxes.find([line.extension])) else None
            return _script(line.number, called or line.number.number or line.extension), facts

    def all_mailboxes(self) -> list[MailboxFacts] | None:
        """Every living mailbox, for the snapshot; None where nothing changed since the last time."""
        with self._app.app_context():
            seen = tuple(
                # The number of values too: by a clock that was set back, a change is older than the newest.
                tuple(db.session.execute(select(func.count(column), func.max(column))).one())
                for column in (Mailbox.updated_at, Mailbox.deleted_at, Greeting.created_at, Alias.created_at)
            )
            if seen == self._seen:
                return None
            living = select(Mailbox).where(Mailbox.live_extension.is_not(None))
            together = selectinload(Mailbox.greetings), selectinload(Mailbox.aliases)
            rows = db.session.scalars(living.options(*together)).all()
            facts = [self._facts(box) for box in rows]
            self._seen = seen
            self.greetings.keep_only(path for item in facts for path in item.greetings.values())
            return facts

    def custom_prompts(self) -> list[dict[str, Any]]:
        """Custom prompts, fetched: name, language, and the path of each, None where the store does not give it now."""
        with self._app.app_context():
            rows = [
                {"name": one.name, "language": one.language, "path": self._fetched(one)} for one in prompts.custom()
            ]
        self.prompts.keep_only(row["path"] for row in rows if row["path"])
        return rows

    def find_counts(self, extensions: Iterable[str]) -> MessageCounts | None:
        """What waits in the mailbox of the first of these extensions that has one."""
        with self._app.app_context():
            found = subscriptions.find(extensions)
            return MessageCounts(**asdict(found)) if found else None

    def count_messages(self, mailbox_ids: Iterable[str]) -> list[MessageCounts]:
        """What waits in these mailboxes; those that are no more are left out."""
        with self._app.app_context():
            return [MessageCounts(**asdict(found)) for found in subscriptions.counts(mailbox_ids)]

    def load_subscriptions(self, port: int) -> list[dict[str, Any]]:
        """The subscriptions of this host's worker at that SIP port, as Subscription.to_plain() wrote them."""
        with self._app.app_context():
            rows = subscriptions.held_by(self._settings.host_name)
        return [row for row in rows if row["dialog"].get("port") == port]

    def save_subscriptions(self, port: int, rows: dict[str, dict[str, Any] | None]) -> None:
        """Write subscriptions down by their keys, or delete them (None)."""
        kept = {
            key: subscriptions.Held(key, row["mailbox_id"], row["expires_at"], row["dialog"] | {"port": port})
            for key, row in rows.items()
            if row is not None
        }
        with self._app.app_context():
            subscriptions.save(self._settings.host_name, kept.values(), [key for key, row in rows.items() if not row])

    def find_owed(self, port: int, pbx: dict[str, Any] | None, limit: int) -> dict[str, Any]:
        """Mailboxes whose lamps this host's worker at that SIP port is to look after; see app/services/lamps.py."""
        with self._app.app_context():
            return asdict(lamps.owed(self._worker(port), lamps.Pbx(**pbx) if pbx else None, limit))

    def claim_lamps(self, port: int, pbx: dict[str, Any], mailbox_ids: list[str]) -> list[dict[str, Any]]:
        """What that worker is to tell a PBX, which nobody else tells now."""
        with self._app.app_context():
            return [asdict(claimed) for claimed in lamps.claim(self._worker(port), lamps.Pbx(**pbx), mailbox_ids)]

    def save_lamps(self, port: int, told: list[dict[str, Any]]) -> None:
        """Write down what devices were told."""
        with self._app.app_context():
            lamps.save(self._worker(port), map(lamps.told_of, told))

    def settle_lamps(self) -> None:
        """Forget who is told already, and devices that are no more."""
        with self._app.app_context():
            lamps.settle()

    def _worker(self, port: int) -> str:
        return f"{self._settings.host_name}:{port}"

    def write_trace(self, states: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> None:
        """Write down what programmed calls are and did (voice/twiml/trace.py); SQLAlchemyError where it cannot."""
        with self._app.app_context():
            trace_rows.write(trace_rows.told(states, entries))

    def announcements(self, stopping: Callable[[], bool]) -> Iterator[str | None]:
        """Ids of mailboxes whose counts are to be sent; see app/services/subscriptions.py."""
        return subscriptions.announcements(self._settings.redis_url, stopping)

    def publish(self, values: Mapping[str, dict[str, Any]]) -> None:
        """Tell the live state of a worker; it vanishes by itself when nobody repeats it."""
        with suppress(redis.RedisError), self._redis.pipeline(transaction=False) as pipe:
            for key, value in values.items():
                pipe.set(key, json.dumps(value), ex=HEARTBEAT_TTL_SECONDS)
            pipe.execute()

    def withdraw(self, keys: Sequence[str]) -> None:
        """The worker is gone, and so is its live state."""
        with suppress(redis.RedisError):
            if keys:
                self._redis.delete(*keys)

    def _facts(self, box: Mailbox, used: quota.Quota | None = None) -> MailboxFacts:
        phone = self._settings.phone
        temporary = next((item for item in box.greetings if item.kind == TEMPORARY), None)
        return MailboxFacts(
            id=box.id,
            extension=box.extension,
            name=box.name,
            language=box.language,
            timezone=box.timezone,
            greetings={item.kind: path for item in box.greetings if (path := self._cached(item)) is not None},
            temporary_ends_at=temporary.ends_at.isoformat() if temporary and temporary.ends_at else None,
            aliases=tuple(alias.number for alias in box.aliases),
            operator=phone.operator if box.operator is None else box.operator,
            announcement_only=box.announcement_only,
            trusts_own_phone=box.trusts_own_phone,
            speaks_envelope=phone.speaks_envelope if box.speaks_envelope is None else box.speaks_envelope,
            review=phone.review if box.review is None else box.review,
            full=used.full if used else False,
            max_duration=box.max_duration,
            silence_timeout=box.silence_timeout,
            min_speech=box.min_speech,
            seconds_left=used.seconds_left if used else None,
        )

    def _fetched(self, prompt: prompts.CustomPrompt) -> str | None:
        """A custom prompt's file in the cache."""
        try:
            return str(self.prompts.fetch(prompt.sha256, prompt.sha256, lambda: prompts.open_custom(prompt)))
        except Exception as error:  # noqa: BLE001 - whatever the store raises; another prompt plays, and that is reported
            log.warning("prompt=%s/%s cannot be fetched: %s", prompt.language, prompt.name, error)
            return None

    def _cached(self, greeting: Greeting) -> str | None:
        """The greeting's file in the cache, fetched from the store where it is not there yet."""
        name = greeting.sha256
        try:
            return str(self.greetings.fetch(name, name, lambda: greetings.open_greeting(greeting)))
        except Exception:
            # A store that is away must not cost the call: the default greeting plays.
            log.exception("greeting=%s cannot be fetched; the default greeting plays", greeting.id)
            return None


def _script(row: Number, called: str) -> Script:
    return Script(
        number_id=row.id,
        number=called,
        language=row.language,
        voice_url=row.voice_url,
        voice_method=row.voice_method,
        fallback_url=row.fallback_url,
        fallback_method=row.fallback_method,
        status_callback=row.status_callback,
        status_callback_method=row.status_callback_method,
        mailbox_id=row.mailbox_id or "",
    )
