"""Plays about the log-in."""

from __future__ import annotations

from tests.calls.application import Application
from tests.calls.screenplay import Play
from tests.plays.programme import PlayText, asked

ADDRESS = "192.0.2.7"
SOURCE = f"1001@{ADDRESS}"
THREE_WRONG_PINS = """
    SYSTEM welcome
    SYSTEM enter_pin, menu
    OWNER  9999#
    SYSTEM login_wrong
    SYSTEM enter_pin, menu
    OWNER  9998#
    SYSTEM login_wrong
    SYSTEM enter_pin, menu
    OWNER  9997#
    SYSTEM <silence of 1 s>
    SYSTEM login_failed
    """


def trusting(application: Application) -> None:
    application.box.trusting = True


def nobody_was_let_in(play: Play) -> None:
    assert "counts" not in play.application.asked


def pins_are_not_noted(play: Play) -> None:
    assert not [line for line in play.application.asked if "4711" in line or "9999" in line]


def the_source_waits(play: Play) -> None:
    nobody_was_let_in(play)
    pins_are_not_noted(play)
    assert play.slow.delay(SOURCE) > 0
    assert play.slow.delay(ADDRESS) == 0


def the_address_waits(play: Play) -> None:
    nobody_was_let_in(play)
    assert play.slow.delay(ADDRESS) > 0
    assert f"log in 1001 from {SOURCE}" in play.application.asked


PLAYS = {
    "own mailbox by PIN": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  4711#
        SYSTEM counts(0 0 0), menu
        OWNER  #
        SYSTEM goodbye
        """,
        check=pins_are_not_noted,
    ),
    "own mailbox, the phone is trusted": PlayText(
        """
        SYSTEM welcome
        SYSTEM counts(0 0 0), menu
        OWNER  hangs up
        """,
        prepare=trusting,
        own_phone=True,
    ),
    "own phone, but its mailbox does not trust it": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  4711#
        SYSTEM counts(0 0 0), menu
        OWNER  hangs up
        """,
        own_phone=True,
    ),
    "own mailbox trusts its phone, but nobody vouches for it": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  hangs up
        """,
        prepare=trusting,
    ),
    "from elsewhere, mailbox and PIN": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_mailbox
        OWNER  1001#
        SYSTEM enter_pin
        OWNER  4711#
        SYSTEM counts(0 0 0), menu
        OWNER  #
        SYSTEM goodbye
        """,
        own=False,
        check=asked(f"log in 1001 from {SOURCE}", "counts"),
    ),
    "all typed ahead, not a word until the menu": PlayText(
        """
        SYSTEM welcome
        OWNER  interrupts with 1001#4711##
        SYSTEM goodbye
        """,
        own=False,
    ),
    "no pound: a pause ends the number": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  4711
        SYSTEM counts(0 0 0), menu
        OWNER  hangs up
        """,
    ),
    "three wrong PINs end the call": PlayText(THREE_WRONG_PINS, check=the_source_waits),
    "a stranger may name any number, so that his address waits": PlayText(
        THREE_WRONG_PINS, check=the_address_waits, trusted=False
    ),
    "a wrong mailbox sounds like a wrong PIN, and the mailbox is asked for again": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_mailbox
        OWNER  7777#
        SYSTEM enter_pin
        OWNER  4711#
        SYSTEM login_wrong
        SYSTEM enter_mailbox
        OWNER  1001#
        SYSTEM enter_pin
        OWNER  4711#
        SYSTEM counts(0 0 0), menu
        OWNER  hangs up
        """,
        own=False,
    ),
    "star leads from the own mailbox to another": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  *
        SYSTEM enter_mailbox
        OWNER  1002#
        SYSTEM enter_pin
        OWNER  2580#
        SYSTEM counts(0 0 0), menu
        OWNER  hangs up
        """,
    ),
    "pound, pound, pound, pound": PlayText(
        """
        SYSTEM welcome
        OWNER  interrupts with ####
        SYSTEM login_wrong
        SYSTEM enter_mailbox
        OWNER  ##
        SYSTEM login_failed
        """,
        own=False,
        check=nobody_was_let_in,
    ),
    "star, star, star, and many more": PlayText(
        """
        SYSTEM welcome
        OWNER  interrupts with ***
        SYSTEM enter_mailbox
        OWNER  ******
        SYSTEM login_failed
        """,
        own=False,
        check=nobody_was_let_in,
    ),
    "forty digits": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_mailbox
        OWNER  1234567890123456789012345678901234567890#
        SYSTEM enter_pin
        OWNER  1234567890123456789012345678901234567890#
        SYSTEM login_wrong
        SYSTEM enter_mailbox
        OWNER  hangs up
        """,
        own=False,
        check=nobody_was_let_in,
    ),
    "keys that no phone has": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_mailbox
        OWNER  ABCD#
        SYSTEM enter_pin
        OWNER  A#
        SYSTEM login_wrong
        SYSTEM enter_mailbox
        OWNER  hangs up
        """,
        own=False,
        check=nobody_was_let_in,
    ),
    "no digit at all": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  waits
        SYSTEM enter_pin, menu
        OWNER  waits
        SYSTEM enter_pin, menu
        OWNER  waits
        SYSTEM no_key_goodbye
        """,
        check=nobody_was_let_in,
    ),
    "who speaks is told that keys are wanted": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  speaks
        SYSTEM keys_wanted
        OWNER  4711#
        SYSTEM counts(0 0 0), menu
        OWNER  speaks
        SYSTEM keys_wanted
        OWNER  #
        SYSTEM goodbye
        """,
    ),
    "nobody can check the PIN": PlayText(
        """
        SYSTEM welcome
        EVENT  the keeper leaves
        SYSTEM enter_pin, menu
        OWNER  4711#
        SYSTEM unavailable_now, goodbye
        """,
    ),
    "another mailbox after the first": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  4711#
        SYSTEM counts(0 0 0), menu
        OWNER  *
        SYSTEM logged_out
        SYSTEM enter_mailbox
        OWNER  1002#
        SYSTEM enter_pin
        OWNER  2580#
        SYSTEM counts(0 0 0), menu
        OWNER  #
        SYSTEM goodbye
        """,
        check=asked(f"log in 1001 from {SOURCE}", f"log in 1002 from {SOURCE}"),
    ),
    "three wrong PINs of two mailboxes end the call": PlayText(
        """
        SYSTEM welcome
        SYSTEM enter_pin, menu
        OWNER  9999#
        SYSTEM login_wrong
        SYSTEM enter_pin, menu
        OWNER  4711#
        SYSTEM counts(0 0 0), menu
        OWNER  *
        SYSTEM logged_out
        SYSTEM enter_mailbox
        OWNER  1002#
        SYSTEM enter_pin
        OWNER  8888#
        SYSTEM login_wrong
        SYSTEM enter_mailbox
        OWNER  1002#
        SYSTEM enter_pin
        OWNER  7777#
        SYSTEM <silence of 1 s>
        SYSTEM login_failed
        """,
    ),
}
