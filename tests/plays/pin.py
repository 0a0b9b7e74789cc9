"""Plays about a new PIN."""

from __future__ import annotations

from collections.abc import Callable

from tests.calls.screenplay import Play
from tests.plays.programme import PlayText, ended, logged_in

RULES = "pin_length(4 10), pin_rules"


def pin_is(pin: str) -> Callable[[Play], None]:
    def check(play: Play) -> None:
        assert play.application.box.pin == pin
        assert not [line for line in play.application.asked if "2468" in line or "4711" in line]

    return check


PLAYS = {
    "changed": PlayText(
        ended(
            logged_in(f"""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  4711#
        SYSTEM {RULES}, pin_new
        OWNER  2468#
        SYSTEM pin_again
        OWNER  2468#
        SYSTEM pin_changed
        """)
        ),
        check=pin_is("2468"),
    ),
    "mistyped, too short, then right": PlayText(
        ended(
            logged_in(f"""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  4711#
        SYSTEM {RULES}, pin_new
        OWNER  2468#
        SYSTEM pin_again
        OWNER  2469#
        SYSTEM pin_different, pin_new
        OWNER  12#
        SYSTEM pin_again
        OWNER  12#
        SYSTEM pin_refused, {RULES}, pin_new
        OWNER  2468#
        SYSTEM pin_again
        OWNER  2468#
        SYSTEM pin_changed
        """)
        ),
        check=pin_is("2468"),
    ),
    "three times no PIN": PlayText(
        ended(
            logged_in(f"""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  4711#
        SYSTEM {RULES}, pin_new
        OWNER  ##
        SYSTEM pin_refused, {RULES}, pin_new
        OWNER  1234567890123456789012345678901234567890#
        SYSTEM pin_again
        OWNER  #
        SYSTEM pin_different, pin_new
        OWNER  1#
        SYSTEM pin_again
        OWNER  1#
        SYSTEM pin_unchanged
        """)
        ),
        check=pin_is("4711"),
    ),
    "the new one is the old one": PlayText(
        ended(
            logged_in(f"""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  4711#
        SYSTEM {RULES}, pin_new
        OWNER  4711#
        SYSTEM pin_again
        OWNER  4711#
        SYSTEM pin_same, pin_new
        OWNER  *
        SYSTEM pin_unchanged
        """)
        ),
        check=pin_is("4711"),
    ),
    "the old one is wrong": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  9999#
        SYSTEM pin_wrong_old
        SYSTEM pin_unchanged
        """)
        ),
        check=pin_is("4711"),
    ),
    "the old one is wrong, and the new one typed ahead is no key of the menu": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  9999#3571#3571#
        SYSTEM pin_wrong_old
        SYSTEM pin_unchanged
        """)
        ),
        check=pin_is("4711"),
    ),
    "all typed ahead": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  44711#2468#2468##
        SYSTEM goodbye
        """),
        check=pin_is("2468"),
    ),
    "three times wrong ends the call": PlayText(
        logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  9999#
        SYSTEM pin_wrong_old
        SYSTEM pin_unchanged
        SYSTEM menu
        OWNER  4
        SYSTEM pin_old
        OWNER  9998#
        SYSTEM pin_wrong_old
        SYSTEM pin_unchanged
        SYSTEM menu
        OWNER  4
        SYSTEM pin_old
        OWNER  9997#
        SYSTEM <silence of 1 s>
        SYSTEM login_failed
        """),
        check=pin_is("4711"),
    ),
    "the mailbox is deleted in mid-call": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        EVENT  the portal deletes the mailbox
        OWNER  4711#
        SYSTEM pin_unchanged
        """)
        ),
    ),
    "nobody can check the old one": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        EVENT  the keeper leaves
        OWNER  4711#
        SYSTEM unavailable_now, menu
        EVENT  the keeper returns
        OWNER  6
        SYSTEM no_deleted
        """)
        ),
        check=pin_is("4711"),
    ),
    "the portal changes it in mid-call": PlayText(
        ended(
            logged_in(f"""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  4711#
        SYSTEM {RULES}, pin_new
        EVENT  the portal sets PIN 8642
        OWNER  2468#
        SYSTEM pin_again
        OWNER  2468#
        SYSTEM pin_wrong_old
        SYSTEM pin_unchanged
        """)
        ),
        check=pin_is("8642"),
    ),
    **{
        f"taken back at step {number}": PlayText(
            ended(logged_in("SYSTEM counts(0 0 0), menu\nOWNER 4\nSYSTEM pin_old\n" + text + "\nSYSTEM pin_unchanged")),
            check=pin_is("4711"),
        )
        for number, text in enumerate(
            (
                "OWNER *",
                f"OWNER 4711#\nSYSTEM {RULES}, pin_new\nOWNER *",
                f"OWNER 4711#\nSYSTEM {RULES}, pin_new\nOWNER 2468#\nSYSTEM pin_again\nOWNER *",
            ),
            1,
        )
    },
    "the application leaves": PlayText(
        ended(
            logged_in(f"""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  4711#
        SYSTEM {RULES}, pin_new
        EVENT  the keeper leaves
        OWNER  2468#
        SYSTEM pin_again
        OWNER  2468#
        SYSTEM unavailable_now, menu
        EVENT  the keeper returns
        OWNER  6
        SYSTEM no_deleted
        """)
        ),
        check=pin_is("4711"),
    ),
    "no digit at all": PlayText(
        logged_in(f"""
        SYSTEM counts(0 0 0), menu
        OWNER  4
        SYSTEM pin_old
        OWNER  4711#
        SYSTEM {RULES}, pin_new
        OWNER  waits
        SYSTEM {RULES}, pin_new
        OWNER  waits
        SYSTEM {RULES}, pin_new
        OWNER  waits
        SYSTEM no_key_goodbye
        """),
        check=pin_is("4711"),
    ),
}
