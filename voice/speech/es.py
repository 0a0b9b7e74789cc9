"""Spanish: numbers that agree in gender, the 12-hour clock with the part of the day."""

from __future__ import annotations

from datetime import datetime

from voice.speech.base import month_of, named_day
from voice.speech.western import Western


class Spanish(Western):
    """Ciento un mensajes, veintiuna horas; el tres de marzo de dos mil veinticinco; a las tres y cinco de la tarde."""

    language = "es"

    def of_messages(self, value: int) -> list[str]:
        """Un, veintiún: shortened before a masculine noun."""
        return _agreeing(self.number(value), "before_noun")

    def of_minutes(self, value: int) -> list[str]:
        """As of_messages: minutos and segundos are masculine."""
        return _agreeing(self.number(value), "before_noun")

    def of_hours(self, value: int) -> list[str]:
        """Una, veintiuna; hours end at 99, so no hundreds have to agree."""
        return _agreeing(self.number(value), "feminine")

    def is_one(self, value: int) -> bool:
        """One only: cero segundos."""
        return value == 1

    def urgent_word(self, count: int, *, end: bool) -> str:
        """Uno urgente, dos urgentes."""
        return ("urgent" if count == 1 else "urgents") + ("" if end else "_and")

    def large(self, value: int) -> list[str]:
        """As in Western; mil stands without one."""
        thousands, hundreds, rest = value // 1000, value // 100 % 10, value % 100
        said = []
        if thousands:
            before = _agreeing(self.number(thousands), "before_noun")
            said += [f"thousand_{thousands}"] if thousands < 10 else [*before, "thousand_1"]
        if hundreds:
            said.append("hundred_exact" if hundreds == 1 and not rest else f"hundred_{hundreds}")
        return said + ([f"number_{rest}"] if rest else [])

    def day(self, when: datetime, now: datetime) -> list[str]:
        """As in Speech."""
        if name := named_day(when, now):
            return [name]
        return [f"day_{when.day}", month_of(when), *([] if when.year == now.year else self._year(when.year))]

    def time(self, when: datetime) -> list[str]:
        """As in Speech."""
        if when.minute == 0 and when.hour % 12 == 0:
            return ["noon" if when.hour else "midnight"]
        minute = [f"minute_{when.minute}" if when.minute < 10 else f"number_{when.minute}"] if when.minute else []
        return [f"hour_{(when.hour - 1) % 12 + 1}", *minute, _part_of_day(when.hour)]

    def _year(self, year: int) -> list[str]:
        """De dos mil veinticinco."""
        rest = year - 2000
        if not 0 <= rest < 1000:
            return self.number(year)
        return ["of_two_thousand", *(self.number(rest) if rest else [])]


def _part_of_day(hour: int) -> str:
    """What follows the hour: twelve at night is de la noche, one is de la madrugada."""
    if 1 <= hour < 6:
        return "dawn"
    if 6 <= hour < 12:
        return "morning"
    return "afternoon" if 12 <= hour < 20 else "evening"


def _agreeing(names: list[str], form: str) -> list[str]:
    """The number whose last word is a one, but eleven, takes the form of the noun."""
    *before, last = names
    value = last.removeprefix("number_")
    agrees = value.isdigit() and int(value) % 10 == 1 and value != "11"
    return [*before, f"{form}_{value}" if agrees else last]
