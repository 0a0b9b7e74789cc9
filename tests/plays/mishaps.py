"""Plays about messages that break, vanish or cannot be had while their owner listens."""

from __future__ import annotations

from tests.plays.messages import one, states, three
from tests.plays.programme import PlayText, ended, logged_in

PLAYS = {
    "a broken one can be deleted": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        EVENT  m1 breaks
        OWNER  1
        SYSTEM position(1)
        SYSTEM message_broken, menu
        OWNER  1
        SYSTEM message_broken, menu
        OWNER  3
        SYSTEM deleted_now
        SYSTEM end_of_messages
        """)
        ),
        prepare=one,
        check=states(m1="deleted"),
    ),
    "the store is away, and comes back": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        EVENT  the store leaves
        OWNER  1
        SYSTEM position(1)
        SYSTEM message_away, menu
        EVENT  the store returns
        OWNER  1
        SYSTEM <m1>
        OWNER  interrupts with *
        SYSTEM menu
        OWNER  hangs up
        """),
        prepare=one,
        check=states(m1="new"),
    ),
    "the application leaves while it plays": PlayText(
        logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        EVENT  the keeper leaves
        SYSTEM unavailable_now, menu
        OWNER  1
        SYSTEM message_away, menu
        OWNER  3
        SYSTEM unavailable_now
        SYSTEM menu
        OWNER  2
        SYSTEM unavailable_now
        SYSTEM menu
        EVENT  the keeper returns
        OWNER  2
        SYSTEM saved_now
        SYSTEM end_of_messages
        SYSTEM menu
        OWNER  #
        SYSTEM goodbye
        """),
        prepare=one,
        check=states(m1="saved"),
    ),
    "the portal deletes it while it plays": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        EVENT  the portal deletes m1
        SYSTEM message_gone
        SYSTEM end_of_messages
        """)
        ),
        prepare=one,
        deleted=frozenset({"m1"}),
    ),
    "the portal purges it while it plays": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(3 0 1), menu
        OWNER  1
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        EVENT  the portal purges m3
        OWNER  after 2 s presses 3
        SYSTEM message_gone
        SYSTEM position(2)
        SYSTEM <m1>
        EVENT  the portal purges m1
        OWNER  after 2 s presses 2
        SYSTEM message_gone
        SYSTEM position(3)
        SYSTEM <m2>
        EVENT  the portal purges m2
        OWNER  after 2 s presses 1
        SYSTEM message_gone, menu
        OWNER  *
        """)
        ),
        prepare=three,
    ),
    "the portal deletes the next": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(3 0 1), menu
        OWNER  1
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        EVENT  the portal deletes m1
        OWNER  after 2 s presses #
        SYSTEM message_gone
        SYSTEM position(2)
        SYSTEM <m2>
        OWNER  interrupts with *
        """)
        ),
        prepare=three,
        deleted=frozenset({"m1"}),
    ),
    "a message arrives, and the portal deletes it": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(3 0 1), menu
        OWNER  1
        SYSTEM position(1), urgent_message
        SYSTEM <m3>
        EVENT  m4 arrives
        OWNER  after 2 s presses #
        SYSTEM message_arrived
        SYSTEM position(2)
        SYSTEM <m1>
        EVENT  the portal deletes m4
        OWNER  after 2 s presses #
        SYSTEM position(3)
        SYSTEM <m2>
        OWNER  interrupts with #
        SYSTEM message_gone
        SYSTEM end_of_messages
        """)
        ),
        prepare=three,
        deleted=frozenset({"m4"}),
    ),
}
