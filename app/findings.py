"""What `flask doctor` finds."""

from __future__ import annotations


class Wrong(Exception):
    """Something does not work: what it is, and what to do about it."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}. {advice}.")


class Doubtful(Wrong):
    """Something works, but not as it should."""
