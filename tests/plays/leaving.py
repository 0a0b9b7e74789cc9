"""Plays about a caller who leaves a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ASKED_ONCE_MORE = """
SYSTEM greeting_default
SYSTEM <beep>
CALLER {first}
SYSTEM {question}
SYSTEM <beep>
CALLER {second}
"""
REVIEWED = """
SYSTEM greeting_default
SYSTEM <beep>
CALLER says something, presses #
SYSTEM menu
"""


@dataclass(frozen=True)
class LeavingText:
    """A play. mailbox: what differs from a mailbox without anything of its own; reason: of the diversion.

    left: how the flow ends. messages: how many are kept; urgent: whether they are. login: whether * leads to log-in.
    """

    text: str
    left: str = "key"
    messages: int = 1
    urgent: bool = False
    mailbox: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    login: bool | None = None
    transfers: tuple[str, ...] = ()


def greeted(sound: str, reason: str = "", **mailbox: Any) -> LeavingText:
    """A caller who is greeted so, and leaves a message."""
    text = f"""
    SYSTEM {sound}
    SYSTEM <beep>
    CALLER says something, presses #
    SYSTEM <confirmation>
    """
    return LeavingText(text, mailbox=mailbox, reason=reason)


def refused(text: str, left: str, **mailbox: Any) -> LeavingText:
    """A caller whose message is not taken."""
    return LeavingText(text, left, messages=0, mailbox=mailbox)


ALL = {"temporary": "away until", "busy": "on the phone", "unavailable": "not here", "name": "Alice"}
PAST, FUTURE = "2026-11-24T15:44:59+00:00", "2026-11-24T15:45:01+00:00"
OWN = {"greetings": {"unavailable": "not here"}}
REVIEW = {"review": True}
OPERATOR = {"operator": "0100"}
DECLINED = {"operator": "9100"}

GREETINGS = {
    "temporary": greeted("<away until>", greetings=ALL),
    "temporary, busy": greeted("<away until>", "busy", greetings=ALL),
    "temporary, still": greeted("<away until>", greetings=ALL, temporary_ends_at=FUTURE),
    "temporary, ended": greeted("<not here>", greetings=ALL, temporary_ends_at=PAST),
    "temporary, without a zone": greeted("<not here>", greetings=ALL, temporary_ends_at=PAST[:19]),
    "temporary, with an end that nobody can read": greeted("<not here>", greetings=ALL, temporary_ends_at="soon"),
    "temporary, broken": greeted("<not here>", greetings=ALL | {"temporary": "broken"}),
    "busy": greeted("<on the phone>", "busy", greetings=ALL, temporary_ends_at=PAST),
    "busy, broken": greeted("<not here>", "busy", greetings={**ALL, "busy": "broken"}, temporary_ends_at=PAST),
    "busy, without one": greeted("<not here>", "busy", greetings={"unavailable": "not here"}),
    "no answer": greeted("<not here>", "no-answer", greetings=ALL, temporary_ends_at=PAST),
    "name": greeted("<Alice>greeting_name", "no-answer", greetings={"name": "Alice"}),
    "name, busy": greeted("<Alice>greeting_name_busy", "busy", greetings={"name": "Alice", "unavailable": "broken"}),
    "none": greeted("greeting_default"),
    "none, busy": greeted("greeting_busy", "busy"),
    "all broken": greeted("greeting_default", greetings=dict.fromkeys(ALL, "broken")),
}

KEYS = {
    "# skips the greeting": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with #
        SYSTEM <beep>
        CALLER says something, presses #
        SYSTEM <confirmation>
        """
    ),
    "other keys do not": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with 12345
        SYSTEM <beep>
        CALLER says something
        SYSTEM <confirmation>
        """,
        "silence",
    ),
    "#### is one #": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with ####
        SYSTEM <beep>
        CALLER says something, hangs up
        """,
        "hangup",
    ),
    "* leads to log-in": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with *
        """,
        "log in", messages=0, login=True,
    ),
    "* of who may not log in is a #": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with *
        SYSTEM <beep>
        CALLER says something, presses #
        SYSTEM <confirmation>
        """,
        login=False,
    ),
    "* without log-in means nothing": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with ***
        SYSTEM <beep>
        CALLER says something, presses #
        SYSTEM <confirmation>
        """
    ),
    "0 to the operator": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with 0
        SYSTEM operator_wait
        """,
        "transferred", messages=0, mailbox=OPERATOR, transfers=("0100",),
    ),
    "0, and the PBX declines": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with 0
        SYSTEM operator_wait
        SYSTEM operator_failed
        SYSTEM <beep>
        CALLER says something, presses #
        SYSTEM <confirmation>
        """,
        mailbox=DECLINED, transfers=("9100",),
    ),
    "0 without an operator": LeavingText(
        """
        SYSTEM greeting_default
        CALLER interrupts with 0
        SYSTEM operator_none
        SYSTEM <beep>
        CALLER says something, presses #
        SYSTEM <confirmation>
        """
    ),
}  # fmt: skip

REFUSALS = {
    "full": refused("SYSTEM mailbox_full", "mailbox full", full=True),
    "full, with a greeting": refused("SYSTEM <not here>\nSYSTEM mailbox_full", "mailbox full", full=True, **OWN),
    "greeting only": refused(
        "SYSTEM <not here>\nSYSTEM no_messages_taken", "announcement only", announcement_only=True, **OWN
    ),
    "greeting only, without one": refused("SYSTEM no_messages_taken", "announcement only", announcement_only=True),
    "greeting only and full": refused(
        "SYSTEM no_messages_taken", "announcement only", announcement_only=True, full=True
    ),
    "full, skipped": refused(
        "SYSTEM <not here>\nCALLER interrupts with #\nSYSTEM mailbox_full\nCALLER interrupts with #",
        "mailbox full", full=True, **OWN,
    ),
    "full, and 0": LeavingText(
        "SYSTEM mailbox_full\nCALLER interrupts with 0\nSYSTEM operator_wait",
        "transferred", messages=0, mailbox={"full": True, **OPERATOR}, transfers=("0100",),
    ),
    "full, and the PBX declines": LeavingText(
        "SYSTEM mailbox_full\nCALLER interrupts with 0\nSYSTEM operator_wait\nSYSTEM operator_failed",
        "mailbox full", messages=0, mailbox={"full": True, **DECLINED}, transfers=("9100",),
    ),
    "full, and *": LeavingText(
        "SYSTEM mailbox_full\nCALLER interrupts with *", "log in", messages=0, mailbox={"full": True}, login=True
    ),
}  # fmt: skip


def asked(first: str, question: str, second: str, end: str, left: str, messages: int) -> LeavingText:
    """A caller who is asked to speak once more."""
    text = ASKED_ONCE_MORE.format(first=first, question=question, second=second) + end
    return LeavingText(text, left, messages)


KEPT, NOTHING = "SYSTEM <confirmation>", "SYSTEM nothing_recorded"
RECORDINGS = {
    "silence": asked("says nothing", "not_heard", "says something", KEPT, "silence", 1),
    "silence twice": asked("says nothing", "not_heard", "says nothing", NOTHING, "silence", 0),
    "# at once": asked("says nothing, presses #", "not_heard", "says something, presses #", KEPT, "key", 1),
    "a word": asked("says a word", "too_short", "says something", KEPT, "silence", 1),
    "a word twice": asked("says a word, presses #", "too_short", "says a word", NOTHING, "silence", 0),
    "silence, and gone": asked("says nothing", "not_heard", "says something, hangs up", "", "hangup", 1),
    "long silence": asked("says nothing, goes on for too long", "not_heard", "says something", KEPT, "silence", 1),
    "too long": LeavingText(
        """
        SYSTEM greeting_default
        SYSTEM <beep>
        CALLER says something, goes on for too long
        SYSTEM <confirmation>
        SYSTEM message_too_long
        """,
        "limit",
    ),
    "a line that is cut off": LeavingText(
        """
        SYSTEM greeting_default
        SYSTEM <beep>
        CALLER says something, is cut off
        SYSTEM <confirmation>
        """,
        "tone",
    ),
    "a line that is cut off before a word": LeavingText(
        """
        SYSTEM greeting_default
        SYSTEM <beep>
        CALLER says nothing, is cut off
        SYSTEM nothing_recorded
        """,
        "tone", messages=0,
    ),
    "gone without a word": LeavingText(
        """
        SYSTEM greeting_default
        SYSTEM <beep>
        CALLER says nothing, hangs up
        """,
        "hangup", messages=0,
    ),
}  # fmt: skip


def reviewed(rest: str, urgent: bool = False) -> LeavingText:
    """A caller who reviews the message, which is kept whatever he does."""
    return LeavingText(REVIEWED + rest, urgent=urgent, mailbox=REVIEW)


REVIEWS = {
    "keep": reviewed("CALLER 1\nSYSTEM <confirmation>"),
    "# keeps too": reviewed("CALLER #\nSYSTEM <confirmation>"),
    "listen": reviewed("CALLER 2\nSYSTEM <recording>\nSYSTEM menu\nCALLER 1\nSYSTEM <confirmation>"),
    "listen, and keep in the middle": reviewed(
        "CALLER 2\nSYSTEM <recording>\nCALLER interrupts with 1\nSYSTEM <confirmation>"
    ),
    "urgent": reviewed("CALLER 4\nSYSTEM marked_urgent\nSYSTEM menu\nCALLER 1\nSYSTEM <confirmation>", urgent=True),
    "urgent, and not": reviewed(
        "CALLER 4\nSYSTEM marked_urgent\nSYSTEM menu\nCALLER 4\nSYSTEM marked_normal\nSYSTEM menu\nCALLER 1\n"
        "SYSTEM <confirmation>"
    ),
    "urgent, and hangs up": reviewed("CALLER 4\nSYSTEM marked_urgent\nSYSTEM menu\nCALLER hangs up", urgent=True),
    "record again": reviewed(
        "CALLER 3\nSYSTEM record_again\nSYSTEM <beep>\nCALLER says something\nSYSTEM menu\nCALLER 1\n"
        "SYSTEM <confirmation>"
    ),
    "record again, without a word": reviewed(
        "CALLER 3\nSYSTEM record_again\nSYSTEM <beep>\nCALLER says nothing\nSYSTEM recording_too_short\nSYSTEM menu\n"
        "CALLER 1\nSYSTEM <confirmation>"
    ),
    "record again, and gone": reviewed("CALLER 3\nSYSTEM record_again\nSYSTEM <beep>\nCALLER says something, hangs up"),
    "urgent, and record again": reviewed(
        "CALLER 4\nSYSTEM marked_urgent\nSYSTEM menu\nCALLER 3\nSYSTEM record_again\nSYSTEM <beep>\n"
        "CALLER says something\nSYSTEM menu\nCALLER hangs up",
        urgent=True,
    ),
    "hangs up": reviewed("CALLER hangs up"),
    "presses nothing": reviewed(
        "CALLER waits\nSYSTEM menu\nCALLER waits\nSYSTEM menu\nCALLER waits\nSYSTEM <confirmation>"
    ),
    "presses what means nothing": reviewed("CALLER 9\nSYSTEM invalid_key, menu\nCALLER 1\nSYSTEM <confirmation>"),
    "speaks": reviewed("CALLER speaks\nSYSTEM keys_wanted\nCALLER 1\nSYSTEM <confirmation>"),
    "only after #": LeavingText(
        """
        SYSTEM greeting_default
        SYSTEM <beep>
        CALLER says something
        SYSTEM <confirmation>
        """,
        "silence", mailbox=REVIEW,
    ),
    "not of what is too short": LeavingText(
        ASKED_ONCE_MORE.format(first="says a word, presses #", question="too_short", second="says something, presses #")
        + "SYSTEM menu\nCALLER 1\nSYSTEM <confirmation>",
        mailbox=REVIEW,
    ),
}  # fmt: skip

SUBJECTS = {
    "greeting": GREETINGS, "key": KEYS, "refusal": REFUSALS, "recording": RECORDINGS, "review": REVIEWS,
}  # fmt: skip
PLAYS = {f"{subject}: {name}": text for subject, texts in SUBJECTS.items() for name, text in texts.items()}
