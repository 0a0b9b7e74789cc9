"""Key 0: the call goes to the operator, by a blind transfer."""

from __future__ import annotations

from voice.flows.conversation import Conversation


def hand_over(talk: Conversation, number: str) -> bool:
    """True where the call has moved. Else it is said that there is no operator, or that the PBX declines."""
    if not number:
        talk.say("operator_none")
        return False
    talk.say("operator_wait")
    state = talk.call.state
    if talk.call.transfer(number):
        return True
    talk.call.enter(state)
    # What was pressed while it rang there was for nobody here, and must not cut the apology short.
    talk.call.forget_digits()
    talk.say("operator_failed")
    return False
