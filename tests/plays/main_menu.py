"""Plays about the main menu."""

from __future__ import annotations

from collections.abc import Callable

from tests.calls.application import Application
from tests.calls.screenplay import Play
from tests.plays.programme import PlayText, asked, ended, logged_in
from voice.owner import Messages


def two_saved(application: Application) -> None:
    application.add("s1", Messages.SAVED)
    application.add("s2", Messages.SAVED)


def operator(number: str) -> Callable[[Application], None]:
    return lambda application: application.set(operator=number)


def transferred(number: str) -> Callable[[Play], None]:
    def check(play: Play) -> None:
        assert play.transfers == [number]

    return check


def nothing_is_deleted(play: Play) -> None:
    assert not [item for item in play.application.box.messages.values() if item.deleted]


PLAYS = {
    "there is nothing": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  1
        SYSTEM no_new
        SYSTEM menu
        OWNER  2
        SYSTEM no_saved
        SYSTEM menu
        OWNER  3
        SYSTEM no_saved
        SYSTEM menu
        OWNER  6
        SYSTEM no_deleted
        SYSTEM menu
        OWNER  #
        SYSTEM goodbye
        """)
    ),
    "keys without meaning": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  7
        SYSTEM invalid_key, menu
        OWNER  D
        SYSTEM invalid_key, menu
        OWNER  #
        SYSTEM goodbye
        """)
    ),
    "a key that is stuck": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  8888888888
        SYSTEM invalid_key, goodbye
        """)
    ),
    "no digit at all": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  waits
        SYSTEM counts(0 0 0), menu
        OWNER  waits
        SYSTEM counts(0 0 0), menu
        OWNER  waits
        SYSTEM no_key_goodbye
        """)
    ),
    "delete all saved": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 2 0), menu
        OWNER  3
        SYSTEM delete_saved_ask, menu
        OWNER  1
        SYSTEM delete_saved_done
        SYSTEM menu
        OWNER  6
        SYSTEM deleted(2)
        SYSTEM position(1), envelope(23.11. 09:30 24.11. 15:45 2003 12)
        SYSTEM <s1>
        OWNER  interrupts with 3
        SYSTEM restored_now
        SYSTEM menu
        OWNER  *
        """)
        ),
        prepare=two_saved,
        check=asked("delete saved", "undelete s1"),
        deleted=frozenset({"s1", "s2"}),
    ),
    "delete all saved, better not": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 2 0), menu
        OWNER  3
        SYSTEM delete_saved_ask, menu
        OWNER  5
        SYSTEM invalid_key, menu
        OWNER  *
        SYSTEM cancelled
        """)
        ),
        prepare=two_saved,
        check=nothing_is_deleted,
    ),
    "a confirmation cannot be typed ahead": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 2 0), menu
        OWNER  31
        SYSTEM delete_saved_ask, menu
        OWNER  *
        SYSTEM cancelled
        """)
        ),
        prepare=two_saved,
        check=nothing_is_deleted,
    ),
    "the operator": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  0
        SYSTEM operator_wait
        """),
        prepare=operator("0301"),
        check=transferred("0301"),
    ),
    "the operator is not to be had": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  0
        SYSTEM operator_wait
        SYSTEM operator_failed
        """)
        ),
        prepare=operator("9"),
        check=transferred("9"),
    ),
    "there is no operator": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  0
        SYSTEM operator_none
        OWNER  interrupts with 1
        SYSTEM no_new
        """)
        )
    ),
    "little room": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), nearly_full, menu
        OWNER  #
        SYSTEM goodbye
        """),
        prepare=lambda application: application.set(nearly_full=True),
    ),
    "no room": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), full, menu
        OWNER  #
        SYSTEM goodbye
        """),
        prepare=lambda application: application.set(nearly_full=True, full=True),
    ),
    "the application leaves and comes back": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 2 0), menu
        EVENT  the keeper leaves
        OWNER  1
        SYSTEM unavailable_now, menu
        OWNER  2
        SYSTEM unavailable_now, menu
        OWNER  3
        SYSTEM unavailable_now, menu
        OWNER  5
        SYSTEM menu
        OWNER  1
        SYSTEM unavailable_now
        SYSTEM menu
        OWNER  *
        SYSTEM menu
        EVENT  the keeper returns
        OWNER  6
        SYSTEM no_deleted
        """)
        ),
        prepare=two_saved,
    ),
    "a message arrives": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 0 0), menu
        EVENT  m1 arrives
        OWNER  2
        SYSTEM no_saved
        SYSTEM message_arrived, menu
        EVENT  m2 arrives
        EVENT  m3 arrives
        OWNER  2
        SYSTEM no_saved
        SYSTEM messages_arrived, menu
        OWNER  2
        SYSTEM no_saved
        """)
        )
    ),
    "what arrives while keys are typed ahead is told after them": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 0 0), menu
        EVENT  m1 arrives
        OWNER  22
        SYSTEM no_saved
        SYSTEM message_arrived, menu
        OWNER  2
        SYSTEM no_saved
        """)
        )
    ),
}
