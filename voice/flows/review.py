"""A caller reviews the message that he has just left; whatever happens, it is kept."""

from __future__ import annotations

import logging
from dataclasses import replace

from voice.call import RECORDING, REVIEWING
from voice.errors import SpoolError
from voice.flows.conversation import Conversation, NobodyThere
from voice.flows.keys import REVIEW, Do, Menu
from voice.takes import Take
from voice.verbs import Record

log = logging.getLogger(__name__)
MOST_CHOICES = 50


def review(talk: Conversation, take: Take, record: Record) -> None:
    """Offer the review until the caller keeps the message, or presses nothing. record: how it is recorded anew.

    The take is held before, and kept after it by whoever calls this. A hang-up is CallEnded.
    """
    try:
        for _ in range(MOST_CHOICES):
            talk.call.enter(REVIEWING)
            does = talk.choose(_menu(take))
            if does is Do.KEEP:
                return
            _do(talk, take, record, does)
    except NobodyThere:
        return


def _menu(take: Take) -> Menu:
    if not take.urgent:
        return REVIEW
    return tuple(replace(key, option="option_normal") if key.does is Do.URGENT else key for key in REVIEW)


def _do(talk: Conversation, take: Take, record: Record, does: Do) -> None:
    try:
        if does is Do.LISTEN:
            talk.replay(take.listen_path)
        elif does is Do.RECORD_AGAIN:
            _record_again(talk, take, record)
        elif does is Do.URGENT:
            take.mark_urgent(not take.urgent)
            talk.say("marked_urgent" if take.urgent else "marked_normal")
    except (SpoolError, OSError) as error:
        log.error("call=%s review of take=%s: %s", talk.call.facts.call_id, take.id, error)
        talk.say("unavailable_now")


def _record_again(talk: Conversation, take: Take, record: Record) -> None:
    """The new recording takes the old one's place where something was said; else the old one stays."""
    path = take.retake_path
    talk.say("record_again")
    talk.tone("beep")
    talk.call.forget_digits()
    talk.call.enter(RECORDING)
    if not take.retake(replace(record, path=path).run(talk.call)):
        talk.say("recording_too_short")
