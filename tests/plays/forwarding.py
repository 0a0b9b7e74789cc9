"""Plays about forwarding."""

from __future__ import annotations

from collections.abc import Callable

from tests.calls.application import Application
from tests.calls.screenplay import Play
from tests.plays.programme import PlayText, asked, ended, logged_in
from voice.owner import Forwarded


def one(application: Application) -> None:
    application.add("m1")
    application.set(envelope=False)


def answered(forwarded: Forwarded) -> Callable[[Application], None]:
    """One message, and a mailbox that answers so."""

    def prepare(application: Application) -> None:
        one(application)
        application.boxes["1002"].forwarded = forwarded

    return prepare


def named(application: Application) -> None:
    one(application)
    application.boxes["1002"].name = application.sound("Bob")


def not_forwarded(play: Play) -> None:
    assert not [line for line in play.application.asked if line.startswith("forward")]


def refusal(forwarded: Forwarded, prompt: str) -> PlayText:
    """A play in which the message is not taken, and can still be deleted."""
    text = f"""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        OWNER  after 3 s presses 8
        SYSTEM forward_mailbox
        OWNER  1002#
        SYSTEM recipient(1002), menu
        OWNER  1
        SYSTEM {prompt}
        SYSTEM menu
        OWNER  3
        SYSTEM deleted_now
        SYSTEM end_of_messages
        """
    return PlayText(ended(logged_in(text)), prepare=answered(forwarded))


PLAYS = {
    "forwarded": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        OWNER  after 3 s presses 8
        SYSTEM forward_mailbox
        OWNER  7777#
        SYSTEM forward_unknown
        SYSTEM forward_mailbox
        OWNER  1002#
        SYSTEM recipient(1002), menu
        OWNER  1
        SYSTEM forward_done
        SYSTEM menu
        OWNER  *
        """)
        ),
        prepare=one,
        check=asked("recipient 7777", "recipient 1002", "forward m1 to 1002"),
    ),
    "to somebody with a name": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  1
        SYSTEM position(1)
        SYSTEM <m1>
        SYSTEM menu
        OWNER  8
        SYSTEM forward_mailbox
        OWNER  1002#
        SYSTEM <Bob>
        SYSTEM recipient(1002), menu
        OWNER  *
        SYSTEM cancelled
        SYSTEM menu
        OWNER  *
        """)
        ),
        prepare=named,
        check=not_forwarded,
    ),
    "three unknown mailboxes": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  18
        SYSTEM forward_mailbox
        OWNER  7777#
        SYSTEM forward_unknown
        SYSTEM forward_mailbox
        OWNER  #
        SYSTEM forward_unknown
        SYSTEM forward_mailbox
        OWNER  1234567890123456789012345678901234567890#
        SYSTEM forward_unknown
        SYSTEM cancelled
        SYSTEM menu
        OWNER  *
        """)
        ),
        prepare=one,
        check=not_forwarded,
    ),
    "star takes it back": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  18*
        SYSTEM cancelled
        SYSTEM menu
        OWNER  *
        """)
        ),
        prepare=one,
        check=not_forwarded,
    ),
    "the other is full": refusal(Forwarded.FULL, "forward_full"),
    "the other takes none": refusal(Forwarded.REFUSED, "forward_refused"),
    "the other went meanwhile": refusal(Forwarded.UNKNOWN, "forward_unknown"),
    "the store is away": refusal(Forwarded.AWAY, "message_away"),
    "the message went meanwhile": refusal(Forwarded.GONE, "message_gone"),
    "the application leaves": PlayText(
        ended(
            logged_in("""
        SYSTEM counts(1 0 0), menu
        OWNER  18
        SYSTEM forward_mailbox
        EVENT  the keeper leaves
        OWNER  1002#
        SYSTEM unavailable_now
        SYSTEM menu
        EVENT  the keeper returns
        OWNER  *
        """)
        ),
        prepare=one,
    ),
}
