"""The operator, for an owner."""

from __future__ import annotations

from voice.flows.hand_over import hand_over
from voice.flows.visit import Visit


def connect_operator(visit: Visit) -> None:
    """Hand the call over; where the PBX declines, or there is no operator, it is said and the call goes on."""
    hand_over(visit.talk, visit.opened.operator)
