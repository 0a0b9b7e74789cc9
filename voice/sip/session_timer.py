"""Session timers: an answered call ends when the refreshes of its session stay away (RFC 4028). SIP thread only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from voice.sip.dialog_requests import DialogRequests
from voice.sip.errors import SipError
from voice.sip.headers import parse_params
from voice.sip.message import SipMessage
from voice.sip.response import ALLOW, Headers
from voice.sip.timers import Timer, Timers

OPTION = "timer"
# Section 10: who waits for a refresh says goodbye this long before the end, or a third of the interval before it.
GOODBYE_SECONDS = 32.0


@dataclass(frozen=True)
class Interval:
    """How long a session lives without a refresh. seconds; ours: we refresh it; required: the other side has timers."""

    seconds: int
    ours: bool
    required: bool = True

    @property
    def answer(self) -> Headers:
        """What a 2xx to the other side's request says of it (section 9)."""
        headers = [("Session-Expires", f"{self.seconds};refresher={'uas' if self.ours else 'uac'}")]
        return [*headers, ("Require", OPTION)] if self.required else headers

    @property
    def request(self) -> Headers:
        """What our own refresh says of it."""
        return [("Supported", OPTION), ("Session-Expires", f"{self.seconds};refresher=uac")]


def asked_of_us(request: SipMessage, minimum: int) -> Interval | None:
    """The interval that an INVITE or UPDATE asks for, or None; minimum: s. SipError 422 below it, 400 if malformed.

    The other side refreshes unless it wants us to, or does not know timers and a proxy asked. We refresh by UPDATE
    alone: without UPDATE in Allow the session has no timer then, which section 7.2 leaves to the answering side.
    """
    value = request.header("Session-Expires")
    if value is None:
        return None
    seconds, refresher = _parse(value)
    supported = OPTION in {
        option.lower() for name in ("Supported", "Require") for option in request.header_values(name)
    }
    if seconds < minimum:
        if not supported:
            # Who does not know timers does not know 422 either.
            return None
        raise SipError(422, f"session interval of {seconds} s", (("Min-SE", str(minimum)),))
    ours = refresher == "uas" or not supported
    if ours and "UPDATE" not in request.header_values("Allow"):
        return None
    return Interval(seconds, ours, supported)


def told_us(response: SipMessage) -> Interval | None:
    """The interval in a 2xx to our own refresh, None where the session has no timer any more."""
    value = response.header("Session-Expires")
    if value is None:
        return None
    try:
        seconds, refresher = _parse(value)
    except SipError:
        return None
    return Interval(seconds, refresher != "uas")


def least_of(response: SipMessage) -> int:
    """Min-SE of a 422, 0 where there is none of use."""
    value = (response.header("Min-SE") or "").partition(";")[0].strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else 0


class SessionTimer:
    """The timer of one session. contact: our Contact header; expire: end the call."""

    def __init__(
        self, timers: Timers, requests: DialogRequests, contact: tuple[str, str], expire: Callable[[], None]
    ) -> None:
        self._timers, self._requests, self._contact, self._expire = timers, requests, contact, expire
        self._pending: list[Timer] = []
        self._in_force: Interval | None = None
        self._running = True

    def follow(self, interval: Interval | None) -> None:
        """Begin anew: a 2xx with this interval was sent or has come; None: the session has no timer (any more)."""
        self._cancel()
        self._in_force = interval
        if interval is None:
            return
        seconds = float(interval.seconds)
        if interval.ours:
            self._later(seconds / 2, lambda: self._refresh(interval))
            self._later(seconds, self._expire)
        else:
            self._later(seconds - min(GOODBYE_SECONDS, seconds / 3), self._expire)

    def stop(self) -> None:
        """The call is over."""
        self._running = False
        self._cancel()

    def _later(self, seconds: float, callback: Callable[[], None]) -> None:
        self._pending.append(self._timers.call_later(seconds, callback))

    def _cancel(self) -> None:
        for timer in self._pending:
            timer.cancel()
        self._pending.clear()

    def _refresh(self, interval: Interval) -> None:
        """UPDATE without an offer (section 10)."""
        headers = (self._contact, ALLOW, *interval.request)
        self._requests.send("UPDATE", headers, lambda response: self._refreshed(interval, response))

    def _refreshed(self, interval: Interval, response: SipMessage | None) -> None:
        if not self._running or self._in_force is None:
            return
        if response is None or response.code in (408, 481):
            self._expire()
        elif response.code < 300:
            self.follow(told_us(response))
        else:
            # Another one soon; the session still expires when it would have.
            longer = replace(interval, seconds=max(interval.seconds, least_of(response)))
            self._later(self._in_force.seconds / 8, lambda: self._refresh(longer))


def _parse(value: str) -> tuple[int, str]:
    """Seconds and refresher ("" where it is not given) of a Session-Expires. SipError 400."""
    seconds, _, rest = value.partition(";")
    seconds = seconds.strip()
    if not (seconds.isascii() and seconds.isdigit()) or len(seconds) > 9:
        raise SipError(400, "malformed Session-Expires")
    return int(seconds), parse_params(rest).get("refresher", "").lower()
