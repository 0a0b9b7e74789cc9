"""REFER is declined, in a dialog and outside of one: a voicemail transfers and calls nobody for others (RFC 3515)."""

from __future__ import annotations

from voice.sip.errors import SipError
from voice.sip.message import SipMessage


def declined(request: SipMessage) -> SipError:
    """The answer to a REFER: 400 unless it has exactly one Refer-To, else 603, as section 2.4.2 has it for a refusal.

    405 would be for a method that we cannot read; Allow does not list it either way, so that nobody offers a transfer.
    """
    if len(request.header_values("Refer-To")) != 1:
        return SipError(400, "REFER without exactly one Refer-To")
    return SipError(603, "calls are not transferred")
