"""Why a delivery did not work, told so that the outbox knows what to do."""

from __future__ import annotations


class DeliveryError(Exception):
    """Base; str() is a line for staff, without secrets."""


class TemporaryError(DeliveryError):
    """Trying again may help; `retry_after` is how many seconds the other side asked us to wait."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(DeliveryError):
    """Trying again will not help."""


class Withdrawn(DeliveryError):
    """What the delivery tells of was purged in the middle of it: the attempt starts over and finds out."""
