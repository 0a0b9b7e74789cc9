"""Delete all saved messages at once."""

from __future__ import annotations

from voice.flows.keys import QUESTION
from voice.flows.visit import Visit


def delete_saved(visit: Visit) -> None:
    """Ask, then delete; they can be heard and restored until the end of the call."""
    talk = visit.talk
    counts = visit.requests.counts(visit.mailbox_id)
    if counts is not None and not counts.saved:
        talk.say("no_saved")
    elif talk.confirmed(QUESTION, "delete_saved_ask"):
        visit.deleted += visit.requests.delete_saved(visit.mailbox_id)
        talk.say("delete_saved_done")
    else:
        talk.say("cancelled")
