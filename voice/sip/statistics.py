"""What the SIP side has counted since it started."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_KINDS = 1000


@dataclass
class PhoneStatistics:
    """received: datagrams; ignored: keep-alives, STUN and what no SIP peer sends; malformed: refused or dropped;
    retransmissions: requests that came again; answered, rejected (by status), cancelled, unacknowledged: calls;
    strangers: requests refused or dropped since nobody knows their sender; challenged: asked for a password;
    wrong_passwords; scanners: datagrams of known scanners; limited: dropped or refused since one source sent too many.
    """

    received: int = 0
    ignored: int = 0
    malformed: int = 0
    retransmissions: int = 0
    send_errors: int = 0
    faults: int = 0
    invites: int = 0
    answered: int = 0
    cancelled: int = 0
    unacknowledged: int = 0
    strangers: int = 0
    challenged: int = 0
    wrong_passwords: int = 0
    scanners: int = 0
    limited: int = 0
    rejected: dict[int, int] = field(default_factory=dict)

    def count_rejected(self, status: int) -> None:
        self.rejected[status] = self.rejected.get(status, 0) + 1


class LogLimiter:
    """At most `burst` lines of a kind a minute, so that strangers cannot fill the log.

    At most MAX_KINDS kinds are remembered; the one whose window began first is forgotten first.
    """

    def __init__(self, burst: int = 10, period: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._period, self._clock = burst, period, clock
        self._windows: dict[str, tuple[float, int]] = {}

    def admit(self, kind: str) -> int | None:
        """None where the line is to be dropped, else how many were dropped in the window before."""
        now = self._clock()
        began, count = self._windows.get(kind, (float("-inf"), 0))
        if now - began >= self._period:
            self._windows.pop(kind, None)
            if len(self._windows) >= MAX_KINDS:
                del self._windows[next(iter(self._windows))]
            self._windows[kind] = (now, 1)
            return max(0, count - self._burst)
        self._windows[kind] = (began, count + 1)
        return 0 if count < self._burst else None
