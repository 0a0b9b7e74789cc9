"""What English, Spanish and French have in common: the order of words, and the plural."""

from __future__ import annotations

from abc import abstractmethod

from voice.speech.base import LARGEST, Speech, split_duration


class Western(Speech):
    """Number before noun, hundreds before tens; a language says how its numbers agree with the noun."""

    @abstractmethod
    def of_messages(self, value: int) -> list[str]:
        """The number before the word for messages."""

    @abstractmethod
    def of_minutes(self, value: int) -> list[str]:
        """The number before minutes and seconds."""

    @abstractmethod
    def of_hours(self, value: int) -> list[str]:
        """The number before hours."""

    @abstractmethod
    def is_one(self, value: int) -> bool:
        """Whether the noun stands in the singular."""

    @abstractmethod
    def large(self, value: int) -> list[str]:
        """A number from 100 on, to 999 999."""

    def urgent_word(self, count: int, *, end: bool) -> str:
        """The word after how many are urgent, at the end of the sentence or before the saved ones."""
        return "urgent" if end else "urgent_and"

    def number(self, value: int) -> list[str]:
        """As in Speech."""
        value = min(max(0, value), LARGEST)
        return [f"number_{value}"] if value < 100 else self.large(value)

    def counts(self, new: int, saved: int, urgent: int = 0) -> list[str]:
        """As in Speech."""
        saved_part = [*self.of_messages(saved), self._noun("saved_message", saved)] if saved else []
        if not new:
            return ["no_new", "you_have", *saved_part] if saved else ["no_messages"]
        return ["you_have", *self.of_messages(new), *self._new(new, urgent, end=not saved), *saved_part]

    def deleted(self, count: int) -> list[str]:
        """As in Speech."""
        if not count:
            return ["no_deleted"]
        return ["you_have", *self.of_messages(count), self._noun("deleted_message", count)]

    def position(self, place: int) -> list[str]:
        """As in Speech."""
        return ["message_position", *self.number(place)]

    def duration(self, seconds: float) -> list[str]:
        """As in Speech."""
        hours, minutes, rest = split_duration(seconds)
        said = [*self.of_hours(hours), self._noun("hour", hours)] if hours else []
        if minutes:
            said += [*self.of_minutes(minutes), self._noun("minute", minutes)]
        if rest or not said:
            said += [*self.of_minutes(rest), self._noun("second", rest)]
        return said

    def pin_length(self, shortest: int, longest: int) -> list[str]:
        """As in Speech."""
        return ["pin_at_least", *self.number(shortest), "pin_at_most", *self.number(longest), "pin_digits"]

    def _new(self, new: int, urgent: int, *, end: bool) -> list[str]:
        """The words after the number of new messages."""
        tail = "" if end else "_and"
        if not urgent:
            return [self._noun("new_message", new) + tail]
        if new == 1:
            return ["new_urgent_message" + tail]
        return ["new_messages_including", *self.number(urgent), self.urgent_word(urgent, end=end)]

    def _noun(self, singular: str, count: int) -> str:
        return singular if self.is_one(count) else f"{singular}s"
