"""What requests of a call carry (https://www.twilio.com/docs/voice/twiml#request-parameters)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

from voice.call import Call
from voice.twiml.call_record import CallRecord

API_VERSION = "2010-04-01"
Parameters = tuple[tuple[str, str], ...]


def of_call(call: Call, record: CallRecord, account_sid: str, called: str, status: str = "") -> Parameters:
    """Those of every request; status: another CallStatus than the call's own."""
    facts = call.facts
    pairs = [
        ("CallSid", record.sid),
        ("AccountSid", account_sid),
        ("From", facts.caller_number),
        ("To", called),
        ("Caller", facts.caller_number),
        ("Called", called),
        ("CallStatus", status or record.status),
        ("ApiVersion", API_VERSION),
        ("Direction", "inbound"),
    ]
    pairs += [("ForwardedFrom", facts.forwarded_from)] if facts.forwarded_from else []
    pairs += [("CallerName", facts.caller_name)] if facts.caller_name else []
    pairs += [("SipCallId", facts.call_id)]
    pairs += [(f"SipHeader_{name}", value) for name, value in facts.x_headers]
    return tuple(pairs)


def of_status(record: CallRecord) -> Parameters:
    """Those that a status callback adds at the end of a call."""
    seconds = round(record.seconds)
    return (
        ("CallDuration", str(seconds)),
        ("Duration", str(math.ceil(seconds / 60))),
        ("Timestamp", moment(record.ended or datetime.now(UTC))),
        ("SequenceNumber", "0"),
        ("CallbackSource", "call-progress-events"),
    )


def moment(when: datetime) -> str:
    """As RFC 2822 writes it, in UTC."""
    return format_datetime(when.astimezone(UTC))
