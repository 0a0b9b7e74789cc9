"""Plays about messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tests.calls.application import Application
from tests.calls.screenplay import Play
from tests.plays.programme import PlayText, asked, ended, logged_in
from voice.owner import Messages


def one(application: Application) -> None:
    application.add("m1")
    application.set(envelope=False)


def three(application: Application) -> None:
    one(application)
    application.add("m2")
    application.add("m3", urgent=True)


def eight(application: Application) -> None:
    for number in range(1, 9):
        application.add(f"m{number}")
    application.set(envelope=False)


def in_tokyo(application: Application) -> None:
    application.set(timezone="Asia/Tokyo")
    application.add(
        "m1", received_at=datetime(2026, 11, 23, 16, 5, tzinfo=UTC), caller_number="+81 3-5555", duration=63
    )


def nowhere(application: Application) -> None:
    application.add("m1", caller_number="")
    application.set(timezone="Nowhere/At_All")


def states(**expected: str) -> Callable[[Play], None]:
    """The states of messages at the end: new, saved, deleted or gone."""

    def check(play: Play) -> None:
        found = play.application.box.messages
        now = {
            name: "gone" if name not in found else "deleted" if found[name].deleted else found[name].state.value
            for name in expected
        }
        assert now == expected

    return check


def deleted_unheard(play: Play) -> None:
    """The message is deleted, and nobody fetched its audio."""
    states(m1="deleted")(play)
    assert not [request for request in play.application.asked if request.startswith("audio")]


PLAYS = {
    "heard to the end is read": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        SYSTEM menu
        OWNER  hangs up
        """),
        prepare=one,
        check=states(m1="saved"),
    ),
    "not heard to the end stays new": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        OWNER  after 3 s presses *
        SYSTEM menu
        OWNER  #
        SYSTEM goodbye
        """),
        prepare=one,
        check=states(m1="new"),
    ),
    "urgent first, saved, deleted, skipped": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(3 0 1), menu
        OWNER  1
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        OWNER  after 2 s presses 2
        SYSTEM saved_now
        SYSTEM position(2)
        SYSTEM <m1>
        OWNER  after 1 s presses 3
        SYSTEM deleted_now
        SYSTEM position(3)
        SYSTEM <m2>
        OWNER  after 1 s presses #
        SYSTEM end_of_messages
        """)
        ),
        prepare=three,
        check=states(m1="deleted", m2="new", m3="saved"),
    ),
    "all keys at once, and only the end is said": PlayText(
        logged_in("""
        SYSTEM counts(3 0 1), menu
        OWNER  1233
        SYSTEM deleted_now
        SYSTEM end_of_messages
        SYSTEM menu
        OWNER  #
        SYSTEM goodbye
        """),
        prepare=three,
        check=states(m1="deleted", m2="deleted", m3="saved"),
    ),
    "after the message": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        SYSTEM menu
        OWNER  1
        SYSTEM <m1>
        SYSTEM menu
        OWNER  5
        SYSTEM envelope(23.11. 09:30 24.11. 15:45 2003 12), menu
        OWNER  7
        SYSTEM <m1> from 7 s
        SYSTEM menu
        OWNER  9
        SYSTEM menu
        OWNER  0
        SYSTEM menu
        OWNER  D
        SYSTEM invalid_key, menu
        OWNER  3
        SYSTEM deleted_now
        SYSTEM end_of_messages
        """)
        ),
        prepare=one,
        check=states(m1="deleted"),
    ),
    "back and forward": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        OWNER  after 3 s presses 9
        SYSTEM <m1> from 8 s
        OWNER  after 10 s presses 7
        SYSTEM <m1> from 5 s
        OWNER  after 6 s presses 77
        SYSTEM <m1> from 1 s
        SYSTEM <m1>
        OWNER  after 9 s presses 9
        SYSTEM <m1> from 12 s
        SYSTEM menu
        OWNER  hangs up
        """),
        prepare=one,
        check=states(m1="saved"),
    ),
    "pause and resume": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        OWNER  after 4 s presses 0
        SYSTEM paused
        OWNER  0
        SYSTEM <m1> from 4 s
        OWNER  after 6 s presses 0
        SYSTEM paused
        OWNER  7
        SYSTEM <m1> from 1 s
        OWNER  after 2 s presses 0
        SYSTEM paused
        OWNER  waits
        SYSTEM <m1> from 2 s
        OWNER  after 3 s presses 0
        SYSTEM paused
        OWNER  *
        SYSTEM menu
        OWNER  hangs up
        """),
        prepare=one,
        check=states(m1="new"),
    ),
    "previous and next": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(3 0 1), menu
        OWNER  1
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        OWNER  interrupts with 4
        SYSTEM first_message
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        OWNER  interrupts with 6
        SYSTEM position(2)
        SYSTEM <m1>
        OWNER  interrupts with 4
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        OWNER  interrupts with *
        """)
        ),
        prepare=three,
    ),
    "a deleted one is restored": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(3 0 1), menu
        OWNER  1
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        OWNER  interrupts with 3
        SYSTEM deleted_now
        SYSTEM position(2)
        SYSTEM <m1>
        OWNER  interrupts with 4
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        SYSTEM menu
        OWNER  3
        SYSTEM restored_now
        SYSTEM menu
        OWNER  *
        """)
        ),
        prepare=three,
        check=states(m3="new"),
    ),
    "the deleted ones of this call": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(3 0 1), menu
        OWNER  133#
        SYSTEM end_of_messages
        SYSTEM menu
        OWNER  6
        SYSTEM deleted(2)
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        OWNER  interrupts with 2
        SYSTEM restored_now
        SYSTEM saved_now
        SYSTEM position(2)
        SYSTEM <m1>
        SYSTEM menu
        OWNER  6
        SYSTEM end_of_messages
        """)
        ),
        prepare=three,
        check=states(m1="deleted", m2="new", m3="saved"),
    ),
    "more than one page": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(8 0 0), menu
        OWNER  1######
        SYSTEM position(7)
        SYSTEM <m7>
        OWNER  interrupts with ##
        SYSTEM end_of_messages
        """)
        ),
        prepare=eight,
    ),
    "the envelope, in the zone of the mailbox": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1), envelope(24.11. 01:05 25.11. 00:45 +81 3-5555 63)
        OWNER  interrupts with 5
        SYSTEM envelope(24.11. 01:05 25.11. 00:45 +81 3-5555 63), menu
        OWNER  hangs up
        """),
        prepare=in_tokyo,
    ),
    "somebody sent it on": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1), forwarded_by(1002), envelope(23.11. 09:30 24.11. 15:45 2003 12)
        SYSTEM <m1>
        SYSTEM menu
        OWNER  hangs up
        """),
        prepare=lambda application: application.add("m1", forwarded_by="1002"),
    ),
    "a zone that is none, a caller without a number": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1), envelope(23.11. 09:30 24.11. 15:45  12)
        SYSTEM <m1>
        SYSTEM menu
        OWNER  hangs up
        """),
        prepare=nowhere,
    ),
    "a message arrives and is played": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        EVENT  m2 arrives
        OWNER  after 2 s presses 2
        SYSTEM saved_now
        SYSTEM message_arrived
        SYSTEM position(2)
        SYSTEM <m2>
        OWNER  after 2 s presses 2
        SYSTEM saved_now
        SYSTEM end_of_messages
        SYSTEM menu
        OWNER  1
        SYSTEM no_new
        """)
        ),
        prepare=one,
        check=states(m1="saved", m2="saved"),
    ),
    "who knows what he wants waits for no store": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  13
        SYSTEM deleted_now
        SYSTEM end_of_messages
        """)
        ),
        prepare=one,
        check=deleted_unheard,
    ),
    "no digit at all": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        SYSTEM menu
        OWNER  waits
        SYSTEM menu
        OWNER  waits
        SYSTEM menu
        OWNER  waits
        SYSTEM no_key_goodbye
        """),
        prepare=one,
    ),
    "saved messages": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 1 0), menu
        OWNER  2
        SYSTEM position(1), envelope(23.11. 09:30 24.11. 15:45 2003 12)
        SYSTEM <s1>
        SYSTEM menu
        OWNER  2
        SYSTEM saved_now
        SYSTEM end_of_messages
        """)
        ),
        prepare=lambda application: application.add("s1", Messages.SAVED),
        check=asked("saved after -", "save s1"),
    ),
}
