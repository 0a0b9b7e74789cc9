"""The operator, by a blind transfer."""

from __future__ import annotations

from voice.call import RETRIEVING
from voice.flows.visit import Visit


def connect_operator(visit: Visit) -> None:
    """Hand the call over; where the PBX declines, or there is no operator, it is said and the call goes on."""
    talk = visit.talk
    if not visit.opened.operator:
        talk.say("operator_none")
        return
    talk.tell("operator_wait")
    if not talk.call.transfer(visit.opened.operator):
        talk.call.enter(RETRIEVING)
        talk.say("operator_failed")
