"""Chinese: 两 before what is counted, 条 for messages, zeros inside numbers, the part of the day before the hour."""

from __future__ import annotations

from datetime import datetime

from voice.speech.base import LARGEST, Speech, month_of, named_day, split_duration

_PARTS = ((6, "dawn"), (12, "morning"), (13, "midday"), (18, "afternoon"), (24, "evening"))


class Chinese(Speech):
    """一百零一条新留言；二零二五年三月三日；下午三点四十五分。"""

    language = "zh"

    def number(self, value: int) -> list[str]:
        """As in Speech."""
        value = min(max(0, value), LARGEST)
        if value < 100:
            return [f"number_{value}"]
        ten_thousands, rest = divmod(value, 10_000)
        if not ten_thousands:
            return _below_ten_thousand(value)
        said = [*self.counted(ten_thousands), "ten_thousand"]
        if not rest:
            return said
        return [*said, *([] if rest >= 1000 else ["number_0"]), *_below_ten_thousand(rest, inside=True)]

    def counted(self, value: int) -> list[str]:
        """The number before what is counted: 两, not 二."""
        return ["two_of"] if value == 2 else self.number(value)

    def counts(self, new: int, saved: int, urgent: int = 0) -> list[str]:
        """As in Speech."""
        saved_part = [*self.counted(saved), "saved_messages"] if saved else []
        if not new:
            return ["no_new", "you_have", *saved_part] if saved else ["no_messages"]
        tail = "_and" if saved else ""
        if not urgent:
            words = ["new_messages" + tail]
        elif new == 1:
            words = ["new_urgent_message" + tail]
        else:
            words = ["new_messages_including", *self.counted(urgent), "urgent" + tail]
        return ["you_have", *self.counted(new), *words, *saved_part]

    def deleted(self, count: int) -> list[str]:
        """As in Speech."""
        return ["you_have", *self.counted(count), "deleted_messages"] if count else ["no_deleted"]

    def position(self, place: int) -> list[str]:
        """第二条: an ordinal keeps 二."""
        return ["message_position", *self.number(place), "message_position_end"]

    def day(self, when: datetime, now: datetime) -> list[str]:
        """As in Speech."""
        if name := named_day(when, now):
            return [name]
        year = [] if when.year == now.year else [*(f"number_{digit}" for digit in str(when.year)), "year"]
        return [*year, month_of(when), f"day_{when.day}"]

    def time(self, when: datetime) -> list[str]:
        """As in Speech."""
        if when.minute == 0 and when.hour % 12 == 0:
            return ["noon" if when.hour else "midnight"]
        part = next(name for end, name in _PARTS if when.hour < end)
        hour = when.hour if when.hour <= 12 else when.hour - 12
        return [part, f"hour_{hour}", *_minute(when.minute)]

    def duration(self, seconds: float) -> list[str]:
        """As in Speech."""
        hours, minutes, rest = split_duration(seconds)
        said = [*self.counted(hours), "hours"] if hours else []
        if minutes:
            said += [*self.counted(minutes), "minutes"]
        if rest or not said:
            said += [*self.counted(rest), "seconds"]
        return said

    def pin_length(self, shortest: int, longest: int) -> list[str]:
        """As in Speech."""
        return ["pin_at_least", *self.counted(shortest), "pin_at_most", *self.counted(longest), "pin_digits"]

    def received(self, when: datetime, now: datetime) -> list[str]:
        """As in Speech; the verb comes last."""
        return [*self.moment(when, now), "received"]


def _minute(minute: int) -> list[str]:
    """Nothing at the full hour, a zero before a single digit."""
    if minute == 0:
        return []
    return [f"minute_{minute}"] if minute < 10 else [f"number_{minute}", "minute_unit"]


def _below_ten_thousand(value: int, *, inside: bool = False) -> list[str]:
    """Zero stands for the places that are left out; inside a larger number ten is 一十.

    inside: whether ten thousands come before.
    """
    thousands, hundreds, rest = value // 1000, value // 100 % 10, value % 100
    said = [f"thousand_{thousands}"] if thousands else []
    if hundreds:
        said.append(f"hundred_{hundreds}")
    if not rest:
        return said
    if said and (rest < 10 or not hundreds):
        said.append("number_0")
    is_teen = 10 <= rest < 20 and bool(said or inside)
    return [*said, f"teen_{rest}" if is_teen else f"number_{rest}"]
