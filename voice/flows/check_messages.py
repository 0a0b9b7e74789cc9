"""An owner calls the mailbox: log-in, what there is, and the main menu."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from voice.call import CLOSING, LOGGING_IN, RETRIEVING, RINGING, Call, Served
from voice.errors import CallEnded, KeeperAway
from voice.flows.change_pin import change_pin
from voice.flows.delete_saved import delete_saved
from voice.flows.hand_over import hand_over
from voice.flows.keys import MAIN, Do, without
from voice.flows.log_in import log_in
from voice.flows.outcome import Outcome
from voice.flows.play_messages import play_messages
from voice.flows.record_greetings import record_greetings
from voice.flows.talk import Desk, NobodyThere, Talk, WrongKeys, WrongPins
from voice.flows.visit import Visit
from voice.mailbox import MailboxFacts
from voice.owner import Messages


def check_messages(call: Call, desk: Desk, mailbox: MailboxFacts | None = None, own_phone: bool = False) -> Outcome:
    """From the answer to the end of an owner's call.

    mailbox: the one that is meant, whose PIN alone is asked for; None asks for its number too. own_phone: the PBX
    vouches that its phone calls.
    """
    if call.state == RINGING:
        call.answer()
    talk = Talk(call, desk, mailbox.language if mailbox else desk.language)
    talk.say("welcome")
    ended_by = _visits(talk, mailbox.extension if mailbox else "", own_phone)
    call.enter(CLOSING)
    with suppress(CallEnded):
        talk.end()
    return Outcome(ended_by)


def _visits(talk: Talk, extension: str, own_phone: bool) -> str:
    """One mailbox after another; how it ended."""
    try:
        while True:
            talk.call.enter(LOGGING_IN)
            opened = log_in(talk, extension, own_phone)
            talk.speak(opened.language)
            talk.call.served = Served(opened.mailbox_id, opened.extension, opened.timezone)
            talk.call.enter(RETRIEVING)
            if main_menu(Visit(talk, opened)) is Do.END:
                talk.tell("goodbye")
                return "key"
            talk.say("logged_out")
            extension, own_phone = "", False
    except WrongPins:
        talk.tell("login_failed")
        return "wrong PIN"
    except WrongKeys:
        talk.tell("invalid_key", "goodbye")
        return "wrong keys"
    except NobodyThere:
        talk.tell("no_key_goodbye")
        return "no key"
    except KeeperAway:
        talk.tell("unavailable_now", "goodbye")
        return "unavailable"


def main_menu(visit: Visit) -> Do:
    """What there is, and what is to be done, until the owner ends it: END or LOG_OUT."""
    talk, news = visit.talk, visit.summary()
    while True:
        hidden = {Do.OPERATOR: not visit.opened.operator, Do.DELETED: not visit.deleted}
        does = talk.choose(without(MAIN, *(does for does in hidden if hidden[does])), *news)
        if does in (Do.END, Do.LOG_OUT):
            return does
        try:
            _do(visit, does)
            news = visit.arrivals()
        except KeeperAway:
            news = ["unavailable_now"]


def _do(visit: Visit, does: Do) -> None:
    actions: dict[Do, Callable[[], object]] = {
        Do.NEW: lambda: play_messages(visit, Messages.NEW),
        Do.SAVED: lambda: play_messages(visit, Messages.SAVED),
        Do.DELETED: lambda: play_messages(visit, None),
        Do.DELETE_SAVED: lambda: delete_saved(visit),
        Do.CHANGE_PIN: lambda: change_pin(visit),
        Do.GREETINGS: lambda: record_greetings(visit),
        Do.OPERATOR: lambda: hand_over(visit.talk, visit.opened.operator),
    }
    actions[does]()
