"""SIP's own error and the reason phrases of RFC 3261 section 21."""

from __future__ import annotations

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "Version Not Supported",
    603: "Decline",
}


def reason_of(status: int) -> str:
    """The usual reason phrase of a status code."""
    return REASONS.get(status, "Unknown")


class SipError(Exception):
    """A message that cannot be taken as it is.

    status, reason: the answer that the RFC asks for; headers: what that answer carries besides;
    detail: one sentence for the log.
    """

    def __init__(self, status: int, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{status} {detail or reason_of(status)}")
        self.status = status
        self.reason = reason_of(status)
        self.detail = detail
        self.headers = headers


class Unanswered(SipError):
    """A message that is dropped without an answer: its sender is to learn nothing, or asks too often."""

    def __init__(self) -> None:
        super().__init__(403, "dropped")
