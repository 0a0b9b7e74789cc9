"""The owner's greetings and recorded name: record, listen, keep, delete."""

from __future__ import annotations

import logging
from datetime import timedelta

from voice.errors import KeeperAway
from voice.flows.keys import GREETING, GREETINGS, Do, without
from voice.flows.record import recorded
from voice.flows.visit import Visit
from voice.owner import GreetingChange, GreetingFacts, GreetingKind, Sound
from voice.verbs import Say

log = logging.getLogger(__name__)
KINDS = {
    Do.UNAVAILABLE: GreetingKind.UNAVAILABLE,
    Do.BUSY: GreetingKind.BUSY,
    Do.TEMPORARY: GreetingKind.TEMPORARY,
    Do.NAME: GreetingKind.NAME,
}
MOST_DAYS, NO_END = 365, 0
MOMENT = timedelta(seconds=1)
TRIES = 3


def record_greetings(visit: Visit) -> None:
    """The menu of greetings, until `*`."""
    while (does := visit.talk.choose(GREETINGS)) is not Do.MENU:
        try:
            _one_greeting(visit, KINDS[does])
        except KeeperAway:
            visit.talk.say("unavailable_now")
        except OSError as error:
            log.error("call=%s no greeting can be recorded: %s", visit.talk.call.facts.call_id, error)
            visit.talk.say("unavailable_now")


def _one_greeting(visit: Visit, kind: GreetingKind) -> None:
    """The menu of one greeting, until `*`."""
    talk, ahead = visit.talk, [f"greeting_{kind}_is"]
    while True:
        facts = visit.requests.greeting(visit.mailbox_id, kind)
        menu = GREETING if facts else without(GREETING, Do.LISTEN, Do.REMOVE)
        does = talk.choose(menu, *ahead, *([] if facts else ["greeting_none"]))
        ahead = []
        if does is Do.MENU:
            return
        if does is Do.RECORD:
            _record(visit, kind)
        elif facts is None:
            continue
        elif does is Do.LISTEN:
            _listen(visit, facts)
        elif visit.requests.remove_greeting(visit.mailbox_id, kind):
            talk.say("greeting_deleted")


def _listen(visit: Visit, facts: GreetingFacts) -> None:
    talk = visit.talk
    sound = talk.sound(facts.audio.path) if facts.audio.sound is Sound.READY else None
    if sound is None:
        talk.say("unavailable_now")
        return
    Say(sound).run(talk.call)
    if facts.ends_at is not None:
        # It ends at the midnight that follows its last day.
        talk.say(*talk.speech.until(visit.local(facts.ends_at - MOMENT), visit.now))


def _record(visit: Visit, kind: GreetingKind) -> None:
    talk = visit.talk
    with recorded(visit, "record_name" if kind is GreetingKind.NAME else "record_greeting") as recording:
        days = _days(visit) if recording and kind is GreetingKind.TEMPORARY else NO_END
        if recording is None or days is None:
            talk.say("greeting_not_kept")
            return
        change = visit.requests.set_greeting(visit.mailbox_id, kind, recording, days or None)
    if change is not GreetingChange.DONE:
        talk.say("unavailable_now", "greeting_not_kept")
        return
    talk.say("greeting_kept")
    if days:
        talk.say(*talk.speech.until(visit.now + timedelta(days=days), visit.now))
    elif kind is GreetingKind.TEMPORARY:
        talk.say("greeting_no_end")


def _days(visit: Visit) -> int | None:
    """For how many days, or NO_END; None where it was taken back, or no number would do: nobody wanted no end."""
    ahead = list[str]()
    for _ in range(TRIES):
        gathered = visit.talk.number(*ahead, "greeting_days")
        digits = gathered.digits
        if gathered.finished_by == "*":
            return None
        if not digits:
            return NO_END
        # Some phones have the keys A to D.
        days = int(digits) if digits.isdecimal() else 0
        if 0 < days <= MOST_DAYS:
            return days
        ahead = ["number_too_long"] if days else []
    return None
