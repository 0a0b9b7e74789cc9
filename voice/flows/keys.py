"""The keys of every menu: the one table, of which docs/phone.md and the menus' own words are made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Do(StrEnum):
    """What a key does. The value is what docs/phone.md says."""

    NEW = "new messages"
    SAVED = "saved messages"
    DELETE_SAVED = "delete all saved (asks)"
    CHANGE_PIN = "change PIN (old, new, again; policy explained)"
    GREETINGS = "greetings and name"
    DELETED = "deleted messages of this call"
    OPERATOR = "operator"
    LOG_OUT = "log out / other mailbox"
    END = "end"

    AGAIN = "again from the start"
    SAVE = "save, and next"
    DELETE = "delete, and next (again: undelete)"
    PREVIOUS = "previous"
    ENVELOPE = "envelope: when, from whom, how long"
    NEXT = "next"
    BACK = "back 5 s"
    AHEAD = "forward 5 s"
    FORWARD = "forward to another mailbox"
    PAUSE = "pause, resume"
    MENU = "back to the menu"

    UNAVAILABLE = "greeting when nobody answers"
    BUSY = "greeting when busy"
    TEMPORARY = "temporary greeting"
    NAME = "recorded name"

    RECORD = "record"
    LISTEN = "listen"
    REMOVE = "delete the recording"

    KEEP = "keep"
    RECORD_AGAIN = "record again"
    URGENT = "mark urgent, or not"

    SKIP = "skips the greeting"
    LOG_IN = "log-in of the owner (where `phone.star_login` allows it)"

    CONFIRM = "yes"
    CANCEL = "no"


@dataclass(frozen=True)
class Key:
    """A key of a menu. option: the prompt that offers it; where that is empty, the key works without being offered."""

    key: str
    does: Do
    option: str = ""


Menu = tuple[Key, ...]

MAIN: Menu = (
    Key("1", Do.NEW, "option_new"),
    Key("2", Do.SAVED, "option_saved"),
    Key("3", Do.DELETE_SAVED, "option_delete_saved"),
    Key("4", Do.CHANGE_PIN, "option_change_pin"),
    Key("5", Do.GREETINGS, "option_greetings"),
    Key("6", Do.DELETED, "option_deleted"),
    Key("0", Do.OPERATOR, "option_operator"),
    Key("*", Do.LOG_OUT, "option_log_out"),
    Key("#", Do.END, "option_end"),
)
MESSAGE: Menu = (
    Key("1", Do.AGAIN, "option_again"),
    Key("2", Do.SAVE, "option_save"),
    Key("3", Do.DELETE, "option_delete"),
    Key("4", Do.PREVIOUS, "option_previous"),
    Key("5", Do.ENVELOPE, "option_envelope"),
    Key("6", Do.NEXT, "option_next"),
    Key("7", Do.BACK),
    Key("9", Do.AHEAD),
    Key("8", Do.FORWARD, "option_forward"),
    Key("0", Do.PAUSE),
    Key("*", Do.MENU, "option_main_menu"),
    Key("#", Do.NEXT),
)
GREETINGS: Menu = (
    Key("1", Do.UNAVAILABLE, "option_unavailable"),
    Key("2", Do.BUSY, "option_busy"),
    Key("3", Do.TEMPORARY, "option_temporary"),
    Key("4", Do.NAME, "option_name"),
    Key("*", Do.MENU, "option_main_menu"),
)
GREETING: Menu = (
    Key("1", Do.RECORD, "option_record"),
    Key("2", Do.LISTEN, "option_listen"),
    Key("3", Do.REMOVE, "option_delete_greeting"),
    Key("*", Do.MENU, "option_main_menu"),
)
RECORDING: Menu = (
    Key("1", Do.KEEP, "option_keep"),
    Key("2", Do.LISTEN, "option_listen"),
    Key("3", Do.RECORD_AGAIN, "option_record_again"),
    Key("*", Do.CANCEL, "option_cancel"),
)
CALLER: Menu = (
    Key("0", Do.OPERATOR),
    Key("*", Do.LOG_IN),
    Key("#", Do.SKIP),
)
REVIEW: Menu = (
    Key("1", Do.KEEP, "option_keep"),
    Key("2", Do.LISTEN, "option_listen"),
    Key("3", Do.RECORD_AGAIN, "option_record_again"),
    Key("4", Do.URGENT, "option_urgent"),
    Key("#", Do.KEEP),
)
QUESTION: Menu = (
    Key("1", Do.CONFIRM, "option_confirm"),
    Key("*", Do.CANCEL, "option_cancel"),
)

ORDER = "1234567890*#"
TITLES: tuple[tuple[str, tuple[tuple[str, Menu], ...]], ...] = (
    ("A caller", (("while the greeting plays", CALLER),)),
    ("The main menu and a message", (("main menu", MAIN), ("while a message plays or after it", MESSAGE))),
    ("Greetings and name", (("greetings", GREETINGS), ("one of them", GREETING))),
    ("After a recording", (("in the menus", RECORDING), ("a caller's review", REVIEW))),
    ("A question", (("answer", QUESTION),)),
)
"""The tables of docs/phone.md: a title, and the menus that stand side by side in it."""


def without(menu: Menu, *hidden: Do) -> Menu:
    """The menu with keys that do something, but are not offered now."""
    return tuple(Key(key.key, key.does) if key.does in hidden else key for key in menu)


def tables() -> str:
    """All menus as docs/phone.md shows them (Markdown)."""
    return "\n\n".join(f"### {title}\n\n{_table(menus)}" for title, menus in TITLES)


def _table(menus: tuple[tuple[str, Menu], ...]) -> str:
    columns = [{key.key: key.does.value for key in menu} for _, menu in menus]
    rows = [["key", *(name for name, _ in menus)], ["---"] * (len(menus) + 1)]
    rows += [
        [key.replace("*", "\\*"), *(column.get(key, "") for column in columns)]
        for key in ORDER
        if any(key in column for column in columns)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
