"""Which message comes next, and which came before."""

from __future__ import annotations

from voice.flows.visit import Visit
from voice.owner import Messages


class Playlist:
    """Ids in the order of their play, fetched as they are needed. What arrives during the call follows the new ones.

    A message that is saved or deleted keeps its place, so that `previous` leads back to it. KeeperAway.
    """

    def __init__(self, visit: Visit, which: Messages | None) -> None:
        self._visit, self._which = visit, which
        self._ids = list(visit.deleted) if which is None else []
        self._whole = which is None
        self._index = 0
        if which is Messages.NEW:
            # They are among the new ones that are fetched now.
            visit.new_ids.clear()
        self._fetch()

    @property
    def current(self) -> str | None:
        """The message to be played, or None behind the last."""
        return self._ids[self._index] if self._index < len(self._ids) else None

    @property
    def place(self) -> int:
        """Its number, from 1; 0 where there are none."""
        return self._index + 1 if self._ids else 0

    def next(self) -> None:
        """Go to the next."""
        self._index += 1
        self._fetch()

    def back(self) -> bool:
        """Go to the one before; False where this is the first."""
        if self._index == 0:
            return False
        self._index -= 1
        return True

    def drop(self) -> None:
        """This one is no more; the next takes its place."""
        del self._ids[self._index]
        self._fetch()

    def _fetch(self) -> None:
        """Have the next at hand, where there is one."""
        if self._index < len(self._ids):
            return
        if not self._whole and self._which is not None:
            last = self._ids[-1] if self._ids else ""
            more = self._visit.requests.message_ids(self._visit.mailbox_id, self._which, last)
            self._ids += [found for found in more if found not in self._ids]
            self._whole = not more
        if self._which is Messages.NEW and self._whole:
            self._ids += [found for found in self._visit.new_ids if found not in self._ids]
            # Each is offered once: one that was deleted elsewhere must not come back.
            self._visit.new_ids.clear()
