"""What a play is, and the lines that many begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.calls.application import Application
from tests.calls.screenplay import Play


def nothing(_: object) -> None:
    """Nothing to prepare, nothing to check."""


@dataclass(frozen=True)
class PlayText:
    """A play. own: the number for one's own mailbox was dialled; own_phone: the PBX vouches for the phone; trusted: the
    call comes from a PBX.

    deleted: messages that leave otherwise than by a key of the owner.
    """

    text: str
    prepare: Callable[[Application], None] = nothing
    check: Callable[[Play], None] = nothing
    own: bool = True
    own_phone: bool = False
    trusted: bool = True
    deleted: frozenset[str] = field(default_factory=frozenset)


def logged_in(text: str) -> str:
    """The owner of mailbox 1001 has dialled the number for his own mailbox and pressed the PIN."""
    return f"SYSTEM welcome\nSYSTEM enter_pin, menu\nOWNER 4711#\n{text}"


def ended(text: str) -> str:
    """The owner ends the call in the main menu."""
    return f"{text}\nSYSTEM menu\nOWNER #\nSYSTEM goodbye"


def asked(*requests: str) -> Callable[[Play], None]:
    """These requests came to the application, in this order, others between them or not."""

    def check(play: Play) -> None:
        rest = iter(play.application.asked)
        missing = [request for request in requests if request not in rest]
        assert not missing, f"{missing}\n{play.application.asked}"

    return check
