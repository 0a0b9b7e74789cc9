"""A caller leaves a message."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

from voice.call import CLOSING, GREETING, RECORDING, Call
from voice.errors import CallEnded, SpoolError
from voice.mailbox import MailboxFacts
from voice.prompts import Prompts
from voice.takes import Takes
from voice.verbs import Play, Record
from voice.verbs.record import LIMIT

log = logging.getLogger(__name__)
LAST_SOUND_SAMPLES = 2400


@dataclass(frozen=True)
class Limits:
    """When a recording ends by itself; seconds."""

    silence_timeout: float
    max_duration: float


@dataclass(frozen=True)
class Outcome:
    """How it went, for the log line. message: the take's id where there is a message."""

    ended_by: str
    message: str = ""
    recorded_seconds: float = 0.0


def leave_message(call: Call, mailbox: MailboxFacts, prompts: Prompts, takes: Takes, limits: Limits) -> Outcome:
    """Greeting, tone, recording, and the tone that promises that the message is kept."""
    call.answer()
    call.enter(GREETING)
    Play(prompts.greeting(mailbox.greeting, mailbox.language, call.law), interrupt_on="#").run(call)
    try:
        with takes.begin(call, mailbox) as take:
            Play(prompts.tone("beep", call.law)).run(call)
            call.forget_digits()
            call.enter(RECORDING)
            recorded = Record(take.path, limits.silence_timeout, limits.max_duration, finish_on="#").run(call)
            call.enter(CLOSING)
            kept = take.finish(recorded)
            ended_by = recorded.ended_by
            outcome = Outcome(ended_by, take.id if kept else "", recorded.result.duration)
    except (SpoolError, OSError) as error:
        log.error("call=%s cannot be recorded: %s", call.facts.call_id, error)
        kept, ended_by, outcome = None, "spool error", Outcome("spool error")
    # The caller may hang up at any of these sounds: what was recorded is safe by now.
    with suppress(CallEnded):
        if kept is None:
            Play(prompts.prompt("not_available", mailbox.language, call.law)).run(call)
        elif not kept:
            Play(prompts.prompt("nothing_recorded", mailbox.language, call.law)).run(call)
        else:
            Play(prompts.tone("confirmation", call.law)).run(call)
            if ended_by == LIMIT:
                Play(prompts.prompt("message_too_long", mailbox.language, call.law)).run(call)
        # The BYE overtakes what a phone still holds in its jitter buffer: let the last sound be heard.
        Play(call.law.silence(LAST_SOUND_SAMPLES)).run(call)
        call.hangup()
    return outcome
