"""English: American dates, the 12-hour clock."""

from __future__ import annotations

from datetime import datetime

from voice.speech.base import month_of, named_day
from voice.speech.western import Western


class English(Western):
    """One hundred one messages; March third, twenty twenty-five; at three oh five p.m."""

    language = "en"

    def of_messages(self, value: int) -> list[str]:
        """As in Western."""
        return self.number(value)

    def of_minutes(self, value: int) -> list[str]:
        """As in Western."""
        return self.number(value)

    def of_hours(self, value: int) -> list[str]:
        """As in Western."""
        return self.number(value)

    def is_one(self, value: int) -> bool:
        """One only: zero seconds."""
        return value == 1

    def large(self, value: int) -> list[str]:
        """As in Western."""
        thousands, hundreds, rest = value // 1000, value // 100 % 10, value % 100
        said = []
        if thousands:
            said += [f"thousand_{thousands}"] if thousands < 10 else [*self.number(thousands), "thousand"]
        if hundreds:
            said.append(f"hundred_{hundreds}")
        return said + ([f"number_{rest}"] if rest else [])

    def day(self, when: datetime, now: datetime) -> list[str]:
        """As in Speech."""
        if name := named_day(when, now):
            return [name]
        year = [] if when.year == now.year else self._year(when.year)
        return [month_of(when), f"day_{when.day}", *year]

    def time(self, when: datetime) -> list[str]:
        """As in Speech."""
        if when.minute == 0 and when.hour % 12 == 0:
            return ["noon" if when.hour else "midnight"]
        minute = [f"minute_{when.minute}" if when.minute < 10 else f"number_{when.minute}"] if when.minute else []
        return [f"hour_{(when.hour - 1) % 12 + 1}", *minute, "pm" if when.hour >= 12 else "am"]

    def _year(self, year: int) -> list[str]:
        """Twenty twenty-five, but two thousand five."""
        century, rest = divmod(year, 100)
        if rest < 10:
            return self.number(year)
        return [f"number_{century}", f"number_{rest}"]
