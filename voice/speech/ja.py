"""Japanese: counters with their readings (いっけん, ろっけん), verbs last, 午前 and 午後 before the hour."""

from __future__ import annotations

from datetime import datetime

from voice.speech.base import LARGEST, Speech, month_of, named_day, split_duration


class Japanese(Speech):
    """新しいメッセージが百一件、あります。三月三日、午後三時四十五分。"""

    language = "ja"

    def number(self, value: int) -> list[str]:
        """As in Speech."""
        value = min(max(0, value), LARGEST)
        ten_thousands, rest = divmod(value, 10_000)
        said = [*self.number(ten_thousands), "ten_thousand"] if ten_thousands else []
        thousands, hundreds, rest = rest // 1000, rest // 100 % 10, rest % 100
        if thousands:
            said.append(f"thousand_{thousands}")
        if hundreds:
            said.append(f"hundred_{hundreds}")
        return [*said, f"number_{rest}"] if rest or not said else said

    def count(self, value: int) -> list[str]:
        """The number with 件: the last digit that is not zero and the counter are one word."""
        value = min(max(0, value), LARGEST)
        for unit in (1, 10, 100):
            digit = value // unit % 10
            if digit:
                before = value - digit * unit
                return [*(self.number(before) if before else []), f"count_{digit * unit}"]
        return [*self.number(value), "count_unit"]

    def counts(self, new: int, saved: int, urgent: int = 0) -> list[str]:
        """As in Speech."""
        saved_part = ["saved_messages", *self.count(saved)] if saved else []
        if not new:
            return ["no_new", *saved_part, "there_are"] if saved else ["no_messages"]
        urgent_part = ["new_messages_including", *self.count(urgent)] if urgent else []
        return ["new_messages", *self.count(new), *urgent_part, *saved_part, "there_are"]

    def deleted(self, count: int) -> list[str]:
        """As in Speech."""
        return ["deleted_messages", *self.count(count), "there_are"] if count else ["no_deleted"]

    def position(self, place: int) -> list[str]:
        """As in Speech: 三件目のメッセージです。"""
        return [*self.count(place), "message_position_end"]

    def day(self, when: datetime, now: datetime) -> list[str]:
        """As in Speech."""
        if name := named_day(when, now):
            return [name]
        return [*([] if when.year == now.year else self._year(when.year)), month_of(when), f"day_{when.day}"]

    def time(self, when: datetime) -> list[str]:
        """As in Speech."""
        if when.minute == 0 and when.hour % 12 == 0:
            return ["noon" if when.hour else "midnight"]
        return ["pm" if when.hour >= 12 else "am", f"hour_{when.hour % 12}", *_minutes(when.minute)]

    def duration(self, seconds: float) -> list[str]:
        """As in Speech."""
        hours, minutes, rest = split_duration(seconds)
        said = [*_hours(hours), *_minutes(minutes)]
        return said + (_seconds(rest) if rest or not said else [])

    def pin_length(self, shortest: int, longest: int) -> list[str]:
        """As in Speech."""
        return ["pin_at_least", *self.number(shortest), "pin_at_most", *self.number(longest), "pin_digits"]

    def received(self, when: datetime, now: datetime) -> list[str]:
        """As in Speech; the verb comes last."""
        return [*self.moment(when, now), "received"]

    def caller(self, number: str) -> list[str]:
        """As in Speech; から comes after the number."""
        return [*digits, "from"] if (digits := self.digits(number)) else ["unknown_caller"]

    def forwarded_by(self, mailbox: str) -> list[str]:
        """As in Speech."""
        return [*self.digits(mailbox), "forwarded_by"]

    def length(self, seconds: float) -> list[str]:
        """As in Speech."""
        return ["length", *self.duration(seconds), "is"]

    def until(self, when: datetime, now: datetime) -> list[str]:
        """As in Speech."""
        return ["greeting_until", *self.day(when, now), "is"]

    def recipient(self, mailbox: str) -> list[str]:
        """As in Speech."""
        return ["forward_to", *self.digits(mailbox), "is"]

    def _year(self, year: int) -> list[str]:
        """Four is よ before 年."""
        if year % 10 != 4:
            return [*self.number(year), "year"]
        return [*self.number(year - 4), "year_4"]


def _minutes(minutes: int) -> list[str]:
    """分 is ふん or ぷん by the digit before it."""
    return _with_counter(minutes, "minute")


def _seconds(seconds: int) -> list[str]:
    return _with_counter(seconds, "seconds") or ["number_0", "seconds"]


def _with_counter(value: int, counter: str) -> list[str]:
    """1 to 59 with a counter that makes one word with the last digit; nothing for 0."""
    tens, digit = value // 10 * 10, value % 10
    if not digit:
        return [f"{counter}_{tens}"] if tens else []
    return [*([f"number_{tens}"] if tens else []), f"{counter}_{digit}"]


def _hours(hours: int) -> list[str]:
    """時間 makes one word with the last digit: よじかん, くじかん."""
    tens, digit = hours // 10 * 10, hours % 10
    said = [f"number_{tens}"] if tens else []
    if digit:
        return [*said, f"hours_{digit}"]
    return [*said, "hours"] if tens else []
