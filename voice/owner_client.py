"""What an owner's call asks, as small requests to the keeper; voice/owner.py says what each is."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from voice.errors import KeeperAway
from voice.mailbox import MessageCounts
from voice.owner import (
    Arrival,
    Audio,
    Forwarded,
    GreetingChange,
    GreetingFacts,
    GreetingKind,
    MessageFacts,
    Messages,
    Opened,
    PinChange,
    Recipient,
    Sound,
)

ANSWER_SECONDS = 3.0
# A hundred callers may have typed a PIN in the same second.
PIN_SECONDS = 30.0
# Longer than that nobody waits for a store.
SOUND_SECONDS = 5.0
WRITE_SECONDS = 10.0


class Asks(Protocol):
    """Whoever passes a request on (voice.keeper_client.KeeperClient)."""

    def ask_owner(self, timeout: float, name: str, arguments: dict[str, Any]) -> Any: ...


class OwnerClient:
    """voice.owner.OwnerRequests over the keeper. Safe from any thread."""

    def __init__(self, keeper: Asks) -> None:
        self._keeper = keeper

    def log_in(self, extension: str, pin: str, source: str) -> Opened | None:
        plain = self._ask("log_in", PIN_SECONDS, extension=extension, pin=pin, source=source)
        return Opened(**plain) if plain else None

    def open_own(self, extension: str) -> Opened | None:
        plain = self._ask("open_own", extension=extension)
        return Opened(**plain) if plain else None

    def counts(self, mailbox_id: str) -> MessageCounts | None:
        plain = self._ask("counts", mailbox_id=mailbox_id)
        return MessageCounts(**plain) if plain else None

    def message_ids(self, mailbox_id: str, which: Messages, after: str = "") -> tuple[str, ...]:
        return tuple(self._ask("message_ids", mailbox_id=mailbox_id, which=which.value, after=after))

    def message(self, mailbox_id: str, message_id: str) -> MessageFacts | None:
        plain = self._ask("message", mailbox_id=mailbox_id, message_id=message_id)
        if plain is None:
            return None
        received_at, state = datetime.fromisoformat(plain["received_at"]), Messages(plain["state"])
        return MessageFacts(**(plain | {"received_at": received_at, "state": state}))

    def audio(self, mailbox_id: str, message_id: str) -> Audio:
        try:
            return _audio(self._ask("audio", SOUND_SECONDS, mailbox_id=mailbox_id, message_id=message_id))
        except KeeperAway:
            # The store is slow, or more is away than the store: that is found out by the next request.
            return Audio(Sound.AWAY)

    def save(self, mailbox_id: str, message_id: str) -> bool:
        return bool(self._ask("save", mailbox_id=mailbox_id, message_id=message_id))

    def delete(self, mailbox_id: str, message_id: str) -> bool:
        return bool(self._ask("delete", mailbox_id=mailbox_id, message_id=message_id))

    def undelete(self, mailbox_id: str, message_id: str) -> bool:
        return bool(self._ask("undelete", mailbox_id=mailbox_id, message_id=message_id))

    def delete_saved(self, mailbox_id: str) -> tuple[str, ...]:
        return tuple(self._ask("delete_saved", WRITE_SECONDS, mailbox_id=mailbox_id))

    def recipient(self, extension: str) -> Recipient | None:
        plain = self._ask("recipient", SOUND_SECONDS, extension=extension)
        return Recipient(plain["extension"], _path(plain["name"])) if plain else None

    def forward(self, mailbox_id: str, message_id: str, extension: str) -> Forwarded:
        arguments = {"mailbox_id": mailbox_id, "message_id": message_id, "extension": extension}
        return Forwarded(self._ask("forward", WRITE_SECONDS, **arguments))

    def pin_is(self, mailbox_id: str, pin: str, source: str) -> bool | None:
        answer = self._ask("pin_is", PIN_SECONDS, mailbox_id=mailbox_id, pin=pin, source=source)
        return None if answer is None else bool(answer)

    def change_pin(self, mailbox_id: str, old: str, new: str, source: str) -> PinChange:
        return PinChange(self._ask("change_pin", PIN_SECONDS, mailbox_id=mailbox_id, old=old, new=new, source=source))

    def greeting(self, mailbox_id: str, kind: GreetingKind) -> GreetingFacts | None:
        plain = self._ask("greeting", SOUND_SECONDS, mailbox_id=mailbox_id, kind=kind.value)
        if plain is None:
            return None
        ends_at = datetime.fromisoformat(plain["ends_at"]) if plain["ends_at"] else None
        return GreetingFacts(GreetingKind(plain["kind"]), _audio(plain["audio"]), ends_at)

    def set_greeting(
        self, mailbox_id: str, kind: GreetingKind, recording: Path, days: int | None = None
    ) -> GreetingChange:
        arguments = {"mailbox_id": mailbox_id, "kind": kind.value, "recording": str(recording), "days": days}
        return GreetingChange(self._ask("set_greeting", WRITE_SECONDS, **arguments))

    def remove_greeting(self, mailbox_id: str, kind: GreetingKind) -> bool:
        return bool(self._ask("remove_greeting", WRITE_SECONDS, mailbox_id=mailbox_id, kind=kind.value))

    def arrived(self, mailbox_id: str, marker: str) -> Arrival:
        plain = self._ask("arrived", mailbox_id=mailbox_id, marker=marker)
        return Arrival(tuple(plain["ids"]), plain["marker"])

    def _ask(self, name: str, timeout: float | None = None, **arguments: Any) -> Any:
        return self._keeper.ask_owner(timeout or ANSWER_SECONDS, name, arguments)


def _audio(plain: dict[str, Any]) -> Audio:
    return Audio(Sound(plain["sound"]), _path(plain["path"]))


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
