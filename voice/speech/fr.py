"""French: numbers that agree in gender, the 24-hour clock."""

from __future__ import annotations

from datetime import datetime

from voice.speech.base import month_of, named_day
from voice.speech.western import Western

_WITH_ONE = ("1", "21", "31", "41", "51", "61", "81")


class French(Western):
    """Vingt et un messages, vingt et une secondes; le trois mars; à quinze heures quarante-cinq."""

    language = "fr"

    def of_messages(self, value: int) -> list[str]:
        """As in Western; a message is masculine."""
        return self.number(value)

    def of_minutes(self, value: int) -> list[str]:
        """Une, vingt et une."""
        return _feminine(self.number(value))

    def of_hours(self, value: int) -> list[str]:
        """Une, vingt et une."""
        return _feminine(self.number(value))

    def is_one(self, value: int) -> bool:
        """Zero is singular too: zéro seconde."""
        return value < 2

    def large(self, value: int) -> list[str]:
        """As in Western; cent and mille stand without one."""
        thousands, hundreds, rest = value // 1000, value // 100 % 10, value % 100
        said = []
        if thousands:
            said += [f"thousand_{thousands}"] if thousands < 10 else [*self.number(thousands), "thousand_1"]
        if hundreds:
            said.append(f"hundred_{hundreds}")
        return said + ([f"number_{rest}"] if rest else [])

    def day(self, when: datetime, now: datetime) -> list[str]:
        """As in Speech."""
        if name := named_day(when, now):
            return [name]
        year = [] if when.year == now.year else self.number(when.year)
        return [f"day_{when.day}", month_of(when), *year]

    def time(self, when: datetime) -> list[str]:
        """As in Speech; the minutes agree: une heure une."""
        if when.minute == 0 and when.hour % 12 == 0:
            return ["noon" if when.hour else "midnight"]
        return [f"hour_{when.hour}", *(_feminine(self.number(when.minute)) if when.minute else [])]


def _feminine(names: list[str]) -> list[str]:
    """The number whose last word is un takes its feminine."""
    *before, last = names
    value = last.removeprefix("number_")
    return [*before, f"feminine_{value}" if value in _WITH_ONE else last]
