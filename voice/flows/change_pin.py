"""The owner changes the PIN: old, new, and new again."""

from __future__ import annotations

from voice.flows.visit import Visit
from voice.owner import PinChange

TRIES = 3


def change_pin(visit: Visit) -> None:
    """Ask for the old PIN and twice for a new one; the rules are said first, and again where a PIN breaks one."""
    talk = visit.talk
    old = talk.number("pin_old")
    changed = old.finished_by != "*" and _is_right(visit, old.digits) and _choose(visit, old.digits)
    talk.say("pin_changed" if changed else "pin_unchanged")


def _is_right(visit: Visit, old: str) -> bool:
    """Whether the old PIN is right, before anybody thinks of a new one."""
    talk = visit.talk
    talk.await_turn()
    right = visit.requests.pin_is(visit.mailbox_id, old, talk.source)
    if right is False:
        _wrong(visit)
    return bool(right)


def _choose(visit: Visit, old: str) -> bool:
    talk, opened = visit.talk, visit.opened
    rules = [*talk.speech.pin_length(opened.pin_shortest, opened.pin_longest), "pin_rules"]
    ahead = rules
    for _ in range(TRIES):
        new = talk.number(*ahead, "pin_new")
        again = talk.number("pin_again") if new.finished_by != "*" else new
        if again.finished_by == "*":
            return False
        if again.digits != new.digits:
            ahead = ["pin_different"]
            continue
        if new.digits == old:
            ahead = ["pin_same"]
            continue
        change = visit.requests.change_pin(visit.mailbox_id, old, new.digits, talk.source)
        if change in (PinChange.DONE, PinChange.GONE):
            return change is PinChange.DONE
        if change is PinChange.WRONG:
            # The portal has changed it since.
            _wrong(visit)
            return False
        ahead = ["pin_refused", *rules]
    return False


def _wrong(visit: Visit) -> None:
    """The old PIN is not right; WrongPins, as at the log-in."""
    talk = visit.talk
    talk.slow_down()
    talk.count_wrong_pin()
    # A new PIN that was typed ahead must not be taken for keys of the menu.
    talk.call.forget_digits()
    talk.say("pin_wrong_old")
