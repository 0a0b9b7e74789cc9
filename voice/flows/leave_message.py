"""A caller leaves a message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from voice.call import CLOSING, GREETING, RECORDING, Call
from voice.errors import CallEnded, SpoolError
from voice.flows.conversation import Conversation
from voice.flows.greet import Greeting, greeting_of
from voice.flows.hand_over import hand_over
from voice.flows.keys import CALLER, Do
from voice.flows.outcome import Limits, Outcome
from voice.flows.review import review
from voice.mailbox import MailboxFacts
from voice.prompts import Prompts
from voice.takes import Take, Takes
from voice.verbs import Play, Record, Recorded
from voice.verbs.record import KEY, LIMIT, SILENCE

log = logging.getLogger(__name__)
MayLogIn = Callable[[], bool] | None
LOG_IN, TRANSFERRED, FULL, ANNOUNCEMENT_ONLY, SPOOL_ERROR = (
    "log in", "transferred", "mailbox full", "announcement only", "spool error",
)  # fmt: skip


def leave_message(
    call: Call,
    mailbox: MailboxFacts,
    prompts: Prompts,
    takes: Takes,
    limits: Limits,
    may_log_in: MayLogIn = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Outcome:
    """Greeting, tone, recording, and the tone that promises that the message is kept.

    may_log_in: asked where key * is pressed in the greeting; if so, LOG_IN is the outcome, and the call goes on
    elsewhere. With TRANSFERRED it is over.
    """
    call.answer()
    call.enter(GREETING)
    talk = Conversation(call, prompts, mailbox.language)
    left = _greet(talk, mailbox, greeting_of(mailbox, call.facts.reason, prompts, call.law, now()), may_log_in)
    if left in (LOG_IN, TRANSFERRED):
        return Outcome(left)
    outcome = Outcome(left) if left else _record(talk, mailbox, takes, limits.of(mailbox))
    # The caller may hang up at any of these sounds: what was recorded is safe by now.
    with suppress(CallEnded):
        if not left:
            _confirm(talk, outcome)
        talk.end()
    return outcome


def take_no_message(call: Call, mailbox: MailboxFacts, prompts: Prompts) -> Outcome:
    """What leave_message() is where it is known beforehand that nothing can be kept: the caller is told, ungreeted."""
    call.answer()
    call.enter(CLOSING)
    talk = Conversation(call, prompts, mailbox.language)
    with suppress(CallEnded):
        talk.tell("not_available")
        talk.end()
    return Outcome(SPOOL_ERROR)


def _greet(talk: Conversation, mailbox: MailboxFacts, greeting: Greeting, may_log_in: MayLogIn) -> str:
    """The greeting, and why no message is taken; how the call goes on, or empty where the caller may speak."""
    left, refusal = "", ""
    if mailbox.announcement_only:
        left, refusal = ANNOUNCEMENT_ONLY, "no_messages_taken"
    elif mailbox.full:
        left, refusal = FULL, "mailbox_full"
    # A standard sentence asks for a message that would not be taken.
    sounds = [greeting.payload] if greeting.own or not left else []
    sounds += [talk.payload([refusal])] if left else []
    for sound in sounds:
        does = _heard(talk, sound, may_log_in)
        if does is Do.LOG_IN and may_log_in is not None and may_log_in():
            return LOG_IN
        if does is Do.OPERATOR and hand_over(talk, mailbox.operator):
            return TRANSFERRED
    return left


def _heard(talk: Conversation, sound: bytes, may_log_in: MayLogIn) -> Do | None:
    """What the caller does while it plays."""
    keys = {key.key: key.does for key in CALLER if may_log_in is not None or key.does is not Do.LOG_IN}
    pressed = Play(sound, interrupt_on="".join(keys)).run(talk.call)
    return keys[pressed] if pressed else None


def _record(talk: Conversation, mailbox: MailboxFacts, takes: Takes, limits: Limits) -> Outcome:
    """Tone and recording; who says nothing is asked once more."""
    try:
        outcome, recorded = _attempt(talk, mailbox, takes, limits)
        # Who is gone, or whose line is, hears no question.
        if not outcome.message and recorded.ended_by in (KEY, SILENCE, LIMIT):
            talk.say("too_short" if recorded.result.heard.speech else "not_heard")
            outcome, _ = _attempt(talk, mailbox, takes, limits)
    except (SpoolError, OSError) as error:
        log.error("call=%s cannot be recorded: %s", talk.call.facts.call_id, error)
        return Outcome(SPOOL_ERROR)
    return outcome


def _attempt(talk: Conversation, mailbox: MailboxFacts, takes: Takes, limits: Limits) -> tuple[Outcome, Recorded]:
    call = talk.call
    with takes.begin(call, mailbox) as take:
        talk.tone("beep")
        call.forget_digits()
        call.enter(RECORDING)
        record = Record(take.path, limits.silence_timeout, limits.max_duration, finish_on="#")
        recorded = record.run(call)
        if mailbox.review and recorded.ended_by == KEY and take.says_enough(recorded):
            kept = _reviewed(talk, take, record, recorded)
        else:
            call.enter(CLOSING)
            kept = take.finish(recorded)
    return Outcome(recorded.ended_by, take.id if kept else "", recorded.result.duration), recorded


def _reviewed(talk: Conversation, take: Take, record: Record, recorded: Recorded) -> bool:
    """Safe first, then reviewed, and kept however that ends."""
    take.hold(recorded)
    try:
        # A hang-up keeps it; the next sound finds out.
        with suppress(CallEnded):
            review(talk, take, record)
    finally:
        talk.call.enter(CLOSING)
        take.keep()
    return True


def _confirm(talk: Conversation, outcome: Outcome) -> None:
    """The tone that promises that the message is kept, or why there is none."""
    if outcome.ended_by == SPOOL_ERROR:
        talk.tell("not_available")
    elif not outcome.message:
        talk.tell("nothing_recorded")
    else:
        talk.tone("confirmation")
        if outcome.ended_by == LIMIT:
            talk.tell("message_too_long")
