"""A phone that subscribes to message-summary, and a desk that knows what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.sip.peer import Leg, Peer
from tests.sip.registrar import answer_to
from voice.mailbox import MessageCounts
from voice.sip import Phone, SipError, SipMessage
from voice.sip.lamp import Told

ACCEPT = "Accept: application/simple-message-summary"
Answer = MessageCounts | SipError | None


def waiting(new: int, saved: int = 0, urgent_new: int = 0, urgent_saved: int = 0, version: int = 0) -> MessageCounts:
    """The counts of the mailbox of tests."""
    return MessageCounts("box", "1001", new, saved, urgent_new, urgent_saved, version)


class Desk:
    """Knows mailbox 1001 alone; `kept` are the rows that are written down."""

    def __init__(self, phone: Phone) -> None:
        self.answer: Answer = waiting(2, 8, 1, 2)
        self.kept: dict[str, dict[str, Any]] = {}
        self.lamps: list[Told] = []
        self.full = self.mute = False
        # How often it was asked for counts.
        self.asked = 0
        self._phone = phone

    def find(self, users: list[str], on_found: Callable[[Answer], None]) -> bool:
        if self.full:
            return False
        known = self.answer if "1001" in users or isinstance(self.answer, SipError) else None
        self._phone.sip.post(lambda: on_found(known))
        return True

    def count(self, mailbox_ids: Iterable[str]) -> None:
        wanted = set(mailbox_ids)
        self.asked += 1
        found = self.answer if isinstance(self.answer, MessageCounts) else None
        if "box" in wanted and not self.mute:
            self._phone.sip.post(lambda: self._phone.subscriptions.counted({"box": found}))

    def keep(self, key: str, row: dict[str, Any] | None) -> None:
        if row is None:
            self.kept.pop(key, None)
        else:
            self.kept[key] = row

    def told(self, told: Told) -> None:
        self.lamps.append(told)


class Subscriber:
    """One subscription of a peer."""

    def __init__(self, peer: Peer, contact: str = "", uri: str = "") -> None:
        self.peer, self.leg = peer, Leg(peer, uri=uri, contact=contact)

    def subscribe(self, *headers: str, seconds: int | None = 3600) -> SipMessage:
        """SUBSCRIBE, or a refresh; its final response."""
        usual = [] if any(header.startswith("Event") for header in headers) else ["Event: message-summary"]
        usual += [] if seconds is None else [f"Expires: {seconds}"]
        self.leg.send("SUBSCRIBE", *usual, *headers)
        response = self.peer.final("SUBSCRIBE", self.leg.call_id)
        if response.code < 300:
            self.leg.remote_tag = response.to.tag
        return response

    def notified(self, status: str | None = "200 OK", *headers: str) -> SipMessage:
        """The next NOTIFY in our dialog that is no repetition, answered."""
        known = {heard.vias[0].branch for heard in self.peer.heard if heard.method == "NOTIFY"}
        notify = self.peer.receive(
            lambda heard: (
                heard.method == "NOTIFY" and heard.vias[0].branch not in known and heard.call_id == self.leg.call_id
            ),
            "NOTIFY",
        )
        if status:
            self.answer(notify, status, *headers)
        return notify

    def told(self, counts: str) -> SipMessage:
        """The NOTIFY with these counts, answered as are those before it: counts may be told more than once."""
        wanted = b"Voice-Message: %s\r\n" % counts.encode()
        while wanted not in (notify := self.notified()).content:
            continue
        return notify

    def answer(self, notify: SipMessage, status: str = "200 OK", *headers: str) -> None:
        self.peer.send(answer_to(notify, status, *headers))
