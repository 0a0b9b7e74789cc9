"""What somebody had before him when he decided to change something: it may have become something else since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from app.errors import Changed

CHANGED = (
    "{} has changed since you opened it. Your changes are not saved."
    " Save again to put what stands here in place of what is there now."
)


@dataclass(frozen=True)
class Seen:
    """What a page was made from: the id of its row, and the version of what its form shows. Empty: not to be asked."""

    id: str = ""
    version: str = ""

    def check(self, what: str, before: str, after: str) -> None:
        """Changed where something else than what was seen becomes another thing.

        before, after: versions of it, within the transaction that changes it. What changes nothing undoes nothing: a
        form that is sent twice is no conflict with itself.
        """
        if self.version not in ("", before) and after != before:
            raise Changed(CHANGED.format(what), before)


ANYTHING = Seen()


def version_of(*values: object) -> str:
    """A short text that differs where one of these values does.

    It is made of what a form shows alone: a message that comes, or a PIN that is locked, does not spoil the form.
    """
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]
