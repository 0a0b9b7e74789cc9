"""What every grammar can say: values in, names of sounds out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
LARGEST = 999_999
LONGEST_HOURS = 99
PAUSE = "pause"
"""A short silence, which Prompts.say() knows beside the sounds."""

_KEY_NAMES = {"*": "star", "#": "pound"}
_DIGIT_NAMES = {**_KEY_NAMES, "+": "plus"}


class Speech(ABC):
    """The grammar of one language. Every method gives the names of sounds in the order in which they are said."""

    language: str

    @abstractmethod
    def number(self, value: int) -> list[str]:
        """A cardinal number as it is said alone, 0 to 999 999; what is larger is said as that."""

    @abstractmethod
    def counts(self, new: int, saved: int, urgent: int = 0) -> list[str]:
        """You have three new messages, including one urgent, and five saved messages. urgent: how many of the new."""

    @abstractmethod
    def deleted(self, count: int) -> list[str]:
        """You have three deleted messages; one sound says that there are none."""

    @abstractmethod
    def position(self, place: int) -> list[str]:
        """Message three; place: from 1."""

    @abstractmethod
    def day(self, when: datetime, now: datetime) -> list[str]:
        """Today, yesterday, tomorrow, the weekday of the last week, else the date; both in the mailbox's zone."""

    @abstractmethod
    def time(self, when: datetime) -> list[str]:
        """The time of day."""

    @abstractmethod
    def duration(self, seconds: float) -> list[str]:
        """Minutes and seconds, from an hour on hours and minutes."""

    @abstractmethod
    def pin_length(self, shortest: int, longest: int) -> list[str]:
        """How many digits a PIN may have."""

    def moment(self, when: datetime, now: datetime) -> list[str]:
        """Day and time of day; both in the mailbox's zone."""
        return [*self.day(when, now), *self.time(when)]

    def digits(self, text: str) -> list[str]:
        """A telephone number digit by digit, a long one in groups of three; other characters are left out."""
        names = [f"digit_{_DIGIT_NAMES.get(key, key)}" for key in text if key in "0123456789*#+"]
        said: list[str] = []
        for index, name in enumerate(names):
            rest = len(names) - index
            if index and index % 3 == 0 and rest > 1 and len(names) > 5:
                said.append(PAUSE)
            said.append(name)
        return said

    def press(self, key: str) -> list[str]:
        """Press one. key: 0 to 9, * or #."""
        return [f"press_{_KEY_NAMES.get(key, key)}"]

    def option(self, name: str, key: str) -> list[str]:
        """What a menu offers, a sound of the group "menu", and the key that does it."""
        return [name, *self.press(key)]

    def received(self, when: datetime, now: datetime) -> list[str]:
        """Received today at three forty-five p.m."""
        return ["received", *self.moment(when, now)]

    def caller(self, number: str) -> list[str]:
        """From whom a message is; unknown where the number has no digit."""
        return ["from", *digits] if (digits := self.digits(number)) else ["unknown_caller"]

    def forwarded_by(self, mailbox: str) -> list[str]:
        """Which mailbox forwarded a message."""
        return ["forwarded_by", *self.digits(mailbox)]

    def length(self, seconds: float) -> list[str]:
        """How long a message is."""
        return ["length", *self.duration(seconds)]

    def envelope(self, when: datetime, now: datetime, caller: str, seconds: float) -> list[str]:
        """When, from whom, how long."""
        return [*self.received(when, now), PAUSE, *self.caller(caller), PAUSE, *self.length(seconds)]

    def until(self, when: datetime, now: datetime) -> list[str]:
        """Until which day a temporary greeting plays."""
        return ["greeting_until", *self.day(when, now)]

    def recipient(self, mailbox: str) -> list[str]:
        """To which mailbox a message will be forwarded."""
        return ["forward_to", *self.digits(mailbox)]


def days_before(when: datetime, now: datetime) -> int:
    """How many days `when` lies before `now`, by the calendar of their zone; negative for a later day."""
    return (now.date() - when.date()) // timedelta(days=1)


def named_day(when: datetime, now: datetime) -> str | None:
    """Today, yesterday, tomorrow or a weekday of the last six days; None where the date is to be said."""
    days = days_before(when, now)
    if days in (-1, 0, 1):
        return ("tomorrow", "today", "yesterday")[days + 1]
    return DAYS[when.weekday()] if 1 < days < 7 else None


def month_of(when: datetime) -> str:
    """The sound of the month."""
    return MONTHS[when.month - 1]


def split_duration(seconds: float) -> tuple[int, int, int]:
    """Hours, minutes and seconds as they are said: no seconds beside hours."""
    whole = max(0, round(seconds))
    if whole < 3600:
        return 0, whole // 60, whole % 60
    minutes = min(whole // 60, LONGEST_HOURS * 60 + 59)
    return minutes // 60, minutes % 60, 0
