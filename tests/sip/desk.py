"""What tests of calls ask of the desk and the phone."""

from __future__ import annotations

from tests.sip.conftest import Desk
from tests.support import until
from voice.events import Ended
from voice.sip import Phone, SipCall


def ringing(_: SipCall) -> None:
    """Leave the call as it is."""


def ended(desk: Desk) -> str:
    """Why the only call ended, waiting for it."""
    until(lambda: any(isinstance(event, Ended) for event in desk.events), what="end of the call")
    return next(event.reason for event in desk.events if isinstance(event, Ended))


def no_traces(phone: Phone) -> None:
    until(lambda: not phone.live_calls() and not phone.calls and not phone.call_ids, what="calls gone")
    assert phone.statistics.faults == 0
