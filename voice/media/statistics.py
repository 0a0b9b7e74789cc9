"""What is counted of one stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """Packets so far. late ones came after they had been given up and are in `lost` as well.

    jitter: of what we hear; peer_lost, peer_jitter, round_trip: as the peer last said by RTCP, None before; seconds.
    """

    received: int
    lost: int
    duplicated: int
    late: int
    sent: int
    invalid: int
    jitter: float = 0.0
    peer_lost: int | None = None
    peer_jitter: float | None = None
    round_trip: float | None = None
