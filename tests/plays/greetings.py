"""Plays about greetings and the recorded name."""

from __future__ import annotations

from collections.abc import Callable

from tests.calls.application import Application
from tests.calls.screenplay import Play
from tests.plays.programme import PlayText, asked, ended, logged_in
from voice.owner import Audio, GreetingFacts, GreetingKind, Sound

KINDS = {"1": "unavailable", "2": "busy", "4": "name"}


def no_greeting(play: Play) -> None:
    assert not play.application.box.greetings


def has(kind: GreetingKind, sound: Sound = Sound.READY) -> Callable[[Application], None]:
    """A greeting of this kind is there."""

    def prepare(application: Application) -> None:
        path = application.sound(f"{kind} greeting") if sound is Sound.READY else None
        application.box.greetings[kind] = GreetingFacts(kind, Audio(sound, path))

    return prepare


def in_greetings(text: str) -> str:
    """In the menu of greetings, and out of it and of the call at the end."""
    begun = f"SYSTEM counts(0 0 0), menu\nOWNER 5\nSYSTEM menu\n{text}\nSYSTEM menu\nOWNER *"
    return ended(logged_in(begun))


def recorded(key: str, kind: str) -> PlayText:
    """Record, listen, keep, listen, delete."""
    prompt = "record_name" if kind == "name" else "record_greeting"
    text = f"""
        OWNER  {key}
        SYSTEM greeting_{kind}_is, greeting_none, menu
        OWNER  1
        SYSTEM {prompt}
        SYSTEM <beep>
        OWNER  says something, presses #
        SYSTEM menu
        OWNER  2
        SYSTEM <recording>
        SYSTEM menu
        OWNER  1
        SYSTEM greeting_kept
        SYSTEM menu
        OWNER  2
        SYSTEM <{kind} greeting>
        SYSTEM menu
        OWNER  3
        SYSTEM greeting_deleted
        SYSTEM greeting_none, menu
        OWNER  *
        """
    return PlayText(in_greetings(text), check=asked(f"set {kind} for ever", f"remove {kind}"))


def temporary(answer: str, *said: str, days: str) -> PlayText:
    """Record a temporary greeting, and answer for how long it shall play."""
    told = "\n".join(f"SYSTEM {line}" for line in said)
    text = f"""
        OWNER  3
        SYSTEM greeting_temporary_is, greeting_none, menu
        OWNER  1
        SYSTEM record_greeting
        SYSTEM <beep>
        OWNER  says something
        SYSTEM menu
        OWNER  1
        SYSTEM greeting_days
        OWNER  {answer}
        {told}
        SYSTEM menu
        OWNER  *
        """
    return PlayText(in_greetings(text), check=asked(f"set temporary for {days}"))


def without_days(answer: str) -> PlayText:
    """Record a temporary greeting, and say in the end that it shall not be."""
    text = f"""
        OWNER  3
        SYSTEM greeting_temporary_is, greeting_none, menu
        OWNER  1
        SYSTEM record_greeting
        SYSTEM <beep>
        OWNER  says something
        SYSTEM menu
        OWNER  1
        SYSTEM greeting_days
        OWNER  {answer}
        SYSTEM greeting_not_kept
        SYSTEM greeting_none, menu
        OWNER  *
        """
    return PlayText(in_greetings(text), check=no_greeting)


PLAYS = {
    **{f"{kind}: record, listen, keep, delete": recorded(key, kind) for key, kind in KINDS.items()},
    "temporary, three days": temporary("3#", "greeting_kept", "until(27.11. 15:45 24.11. 15:45)", days="3"),
    "temporary, no end": temporary("#", "greeting_kept", "greeting_no_end", days="ever"),
    "temporary, far too long, then a week": temporary(
        "999#",
        "number_too_long, greeting_days\nOWNER 7#",
        "greeting_kept",
        "until(01.12. 15:45 24.11. 15:45)",
        days="7",
    ),
    "temporary, no day at all, then one": temporary(
        "0#",
        "greeting_days\nOWNER 1#",
        "greeting_kept",
        "until(25.11. 15:45 24.11. 15:45)",
        days="1",
    ),
    "temporary, keys that no number has": temporary(
        "A1#",
        "greeting_days\nOWNER 1#",
        "greeting_kept",
        "until(25.11. 15:45 24.11. 15:45)",
        days="1",
    ),
    "temporary, taken back at the number of days": without_days("*"),
    "temporary, three numbers that will not do": without_days(
        "999#\nSYSTEM number_too_long, greeting_days\nOWNER 400#\nSYSTEM number_too_long, greeting_days\nOWNER 0000#"
    ),
    "temporary, until when it plays": PlayText(
        in_greetings("""
        OWNER  3
        SYSTEM greeting_temporary_is, greeting_none, menu
        OWNER  1
        SYSTEM record_greeting
        SYSTEM <beep>
        OWNER  says something
        SYSTEM menu
        OWNER  1
        SYSTEM greeting_days
        OWNER  2#
        SYSTEM greeting_kept
        SYSTEM until(26.11. 15:45 24.11. 15:45)
        SYSTEM menu
        OWNER  2
        SYSTEM <temporary greeting>
        SYSTEM until(26.11. 23:59 24.11. 15:45)
        SYSTEM menu
        OWNER  *
        """)
    ),
    "silence ends the recording, the second take is kept": PlayText(
        in_greetings("""
        OWNER  1
        SYSTEM greeting_unavailable_is, greeting_none, menu
        OWNER  1
        SYSTEM record_greeting
        SYSTEM <beep>
        OWNER  says something
        SYSTEM menu
        OWNER  3
        SYSTEM <beep>
        OWNER  says something
        SYSTEM menu
        OWNER  1
        SYSTEM greeting_kept
        SYSTEM menu
        OWNER  *
        """),
        check=asked("set unavailable for ever"),
    ),
    "better not": PlayText(
        in_greetings("""
        OWNER  1
        SYSTEM greeting_unavailable_is, greeting_none, menu
        OWNER  1
        SYSTEM record_greeting
        SYSTEM <beep>
        OWNER  says something
        SYSTEM menu
        OWNER  *
        SYSTEM greeting_not_kept
        SYSTEM greeting_none, menu
        OWNER  *
        """),
        check=no_greeting,
    ),
    "not a word, three times": PlayText(
        in_greetings("""
        OWNER  4
        SYSTEM greeting_name_is, greeting_none, menu
        OWNER  1
        SYSTEM record_name
        SYSTEM <beep>
        OWNER  says nothing
        SYSTEM recording_too_short
        SYSTEM record_name
        SYSTEM <beep>
        OWNER  says nothing, presses #
        SYSTEM recording_too_short
        SYSTEM record_name
        SYSTEM <beep>
        OWNER  says nothing
        SYSTEM recording_too_short
        SYSTEM greeting_not_kept
        SYSTEM greeting_none, menu
        OWNER  *
        """),
        check=no_greeting,
    ),
    "a mailbox that wants to hear more than two seconds": PlayText(
        in_greetings("""
        OWNER  4
        SYSTEM greeting_name_is, greeting_none, menu
        OWNER  1
        SYSTEM record_name
        SYSTEM <beep>
        OWNER  says something, presses #
        SYSTEM recording_too_short
        SYSTEM record_name
        SYSTEM <beep>
        OWNER  says something
        SYSTEM recording_too_short
        SYSTEM record_name
        SYSTEM <beep>
        OWNER  says something
        SYSTEM recording_too_short
        SYSTEM greeting_not_kept
        SYSTEM greeting_none, menu
        OWNER  *
        """),
        prepare=lambda application: application.set(min_speech=3.0, silence_timeout=2.0),
        check=no_greeting,
    ),
    "nothing to listen to, nothing to delete": PlayText(
        in_greetings("""
        OWNER  2
        SYSTEM greeting_busy_is, greeting_none, menu
        OWNER  2
        SYSTEM greeting_none, menu
        OWNER  3
        SYSTEM greeting_none, menu
        OWNER  9
        SYSTEM invalid_key, menu
        OWNER  *
        """),
        check=no_greeting,
    ),
    "the store does not take it": PlayText(
        in_greetings("""
        OWNER  1
        SYSTEM greeting_unavailable_is, greeting_none, menu
        EVENT  the store leaves
        OWNER  1
        SYSTEM record_greeting
        SYSTEM <beep>
        OWNER  says something
        SYSTEM menu
        OWNER  1
        SYSTEM unavailable_now, greeting_not_kept
        SYSTEM greeting_none, menu
        OWNER  *
        """),
        check=no_greeting,
    ),
    "the store does not give it": PlayText(
        in_greetings("""
        OWNER  1
        SYSTEM greeting_unavailable_is, menu
        OWNER  2
        SYSTEM unavailable_now
        SYSTEM menu
        OWNER  *
        """),
        prepare=has(GreetingKind.UNAVAILABLE, Sound.AWAY),
    ),
    "the application leaves": PlayText(
        in_greetings("""
        OWNER  1
        SYSTEM greeting_unavailable_is, menu
        EVENT  the keeper leaves
        OWNER  3
        SYSTEM unavailable_now
        SYSTEM menu
        EVENT  the keeper returns
        OWNER  1
        SYSTEM greeting_unavailable_is, menu
        OWNER  *
        """),
        prepare=has(GreetingKind.UNAVAILABLE),
    ),
}
