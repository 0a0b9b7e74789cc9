"""An owner in the mailbox: what was opened, and what this call has done and heard of so far."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voice.errors import KeeperAway
from voice.flows.talk import Talk
from voice.owner import Opened


class Visit:
    """One mailbox, open. deleted: ids of messages that were deleted in this call; new_ids: of those that arrived."""

    def __init__(self, talk: Talk, opened: Opened) -> None:
        self.talk, self.opened, self.requests = talk, opened, talk.requests
        self.mailbox_id = opened.mailbox_id
        self.deleted: list[str] = []
        self.new_ids: list[str] = []
        self._marker = opened.marker
        try:
            self._zone = ZoneInfo(opened.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            self._zone = ZoneInfo("UTC")

    def local(self, moment: datetime) -> datetime:
        """The moment by the clocks of the mailbox."""
        return moment.astimezone(self._zone)

    @property
    def now(self) -> datetime:
        return self.local(self.talk.desk.now())

    def summary(self) -> list[str]:
        """You have so many messages, and little room."""
        try:
            counts = self.requests.counts(self.mailbox_id)
        except KeeperAway:
            return ["unavailable_now"]
        said = self.talk.speech.counts(counts.new, counts.saved, counts.urgent_new) if counts else []
        if self.opened.full:
            return [*said, "full"]
        return [*said, "nearly_full"] if self.opened.nearly_full else said

    def arrivals(self) -> list[str]:
        """What to say of messages that have arrived since the last time; nothing where none has, or nobody knows.

        A key typed ahead would cut it off: then it is said the next time.
        """
        if self.talk.call.typed_ahead():
            return []
        try:
            arrival = self.requests.arrived(self.mailbox_id, self._marker)
        except KeeperAway:
            return []
        self._marker = arrival.marker
        self.new_ids += arrival.ids
        if not arrival.ids:
            return []
        return ["message_arrived" if len(arrival.ids) == 1 else "messages_arrived"]
