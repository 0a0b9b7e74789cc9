"""The owner changes the PIN: old, new, and new again."""

from __future__ import annotations

from voice.flows.visit import Visit
from voice.owner import PinChange

TRIES = 3


def change_pin(visit: Visit) -> None:
    """Ask for the old PIN and twice for a new one; the rules are said first, and again where a PIN breaks one."""
    talk = visit.talk
    old = talk.number("pin_old")
    changed = old.finished_by != "*" and _choose(visit, old.digits)
    talk.say("pin_changed" if changed else "pin_unchanged")


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
        talk.await_turn()
        change = visit.requests.change_pin(visit.mailbox_id, old, new.digits, talk.source)
        if change in (PinChange.DONE, PinChange.GONE):
            return change is PinChange.DONE
        if change is PinChange.WRONG:
            talk.desk.slow.failed(talk.source)
            talk.count_wrong_pin()
            talk.say("pin_wrong_old")
            return False
        ahead = ["pin_refused", *rules]
    return False
