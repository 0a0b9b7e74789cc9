"""The owner forwards a message to another mailbox."""

from __future__ import annotations

from voice.flows.keys import QUESTION
from voice.flows.visit import Visit
from voice.owner import Forwarded, MessageFacts
from voice.verbs import Say

TRIES = 3
ANSWERS = {
    Forwarded.DONE: "forward_done",
    Forwarded.UNKNOWN: "forward_unknown",
    Forwarded.FULL: "forward_full",
    Forwarded.REFUSED: "forward_refused",
    Forwarded.AWAY: "message_away",
    Forwarded.GONE: "message_gone",
}


def forward(visit: Visit, message: MessageFacts) -> None:
    """Ask for the other mailbox, say which it is, and send a copy there once that is confirmed. KeeperAway."""
    talk = visit.talk
    for _ in range(TRIES):
        number = talk.number("forward_mailbox")
        if number.finished_by == "*":
            break
        recipient = visit.requests.recipient(number.digits) if number.digits else None
        if recipient is None:
            talk.say("forward_unknown")
            continue
        talk.call.forget_digits()
        if name := talk.sound(recipient.name):
            Say(name).run(talk.call)
        if not talk.confirmed(QUESTION, *talk.speech.recipient(recipient.extension)):
            break
        talk.say(ANSWERS[visit.requests.forward(visit.mailbox_id, message.id, recipient.extension)])
        return
    talk.say("cancelled")
