"""Who is this call for, and why was it diverted? Values in, values out.

The numbers that owners dial to hear their messages come first. For other calls the order is (first known mailbox wins):
RFC 4458 target, RFC 7044 History-Info, RFC 5806 Diversion, P-Called-Party-ID, To and Request-URI. All but the last two
count only from a trusted source (voice/sip/gate.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from voice.call import CallFacts
from voice.sip import InviteFacts

MAXIMUM_EXTENSION = 20
MAXIMUM_CALL_ID = 255
REASONS = {
    486: "busy",
    600: "busy",
    408: "no-answer",
    302: "unconditional",
    404: "unknown",
    480: "deflection",
    487: "deflection",
    503: "unavailable",
}
DIVERSION_REASONS = {"user-busy": "busy"}
OWN, ANY = "own", "any"
"""What an owner wants who dials in: the mailbox of the phone that calls, or any."""


@dataclass(frozen=True)
class Rules:
    """diverted: `first` = the party called first, `last` = the last diverter; general: the extension that takes all
    other calls, empty for none; own_number, any_number: what owners dial, such as *97 and *98, empty for nothing."""

    diverted: str = "first"
    general: str = ""
    own_number: str = ""
    any_number: str = ""


def normalise(user: str) -> str:
    """The user part as an extension: without parameters, plus sign and visual separators; empty where it is none."""
    user = re.sub(r"[\s().\-/]", "", user.split(";", maxsplit=1)[0]).removeprefix("+")
    return user if user.isascii() and user.isdigit() and len(user) <= MAXIMUM_EXTENSION else ""


def route(invite: InviteFacts, call_id: str, trusted: bool, rules: Rules, address: str = "") -> CallFacts:
    """The extensions that the INVITE may mean, most telling first, and why the call was diverted.

    address: the IP address that it came from.
    """
    diverted = _diverted(invite, rules.diverted) if trusted else []
    candidates = [*diverted, (invite.to_user, ""), (invite.dialled_user, ""), (rules.general, "")]
    named = [(normalise(user), reason) for user, reason in candidates]
    extensions = tuple(dict.fromkeys(user for user, _ in named if user))
    reason = next((reason for user, reason in named if user and reason), "")
    return CallFacts(
        call_id[:MAXIMUM_CALL_ID],
        invite.caller_number,
        invite.caller_name,
        extensions,
        reason,
        address=address,
        trusted=trusted,
        service=_service(invite, rules),
        dialled=tuple(dict.fromkeys(filter(None, map(_bare, (invite.dialled_user, invite.to_user))))),
        forwarded_from=next((_bare(user) for user, _ in diverted if user), ""),
        x_headers=invite.x_headers,
    )


def _bare(user: str) -> str:
    """A user part without its parameters."""
    return user.split(";", maxsplit=1)[0].strip()


def _service(invite: InviteFacts, rules: Rules) -> str:
    """What an owner wants, by the number that was dialled; empty where it is none of these."""
    services = {rules.any_number: ANY, rules.own_number: OWN}
    for user in (invite.dialled_user, invite.to_user):
        number = _bare(user)
        if number and number in services:
            return services[number]
    return ""


def _diverted(invite: InviteFacts, which: str) -> list[tuple[str, str]]:
    """What the PBX says about the diversion: (user, reason)."""
    found: list[tuple[str, str]] = []
    if invite.target_user:
        found.append((invite.target_user, REASONS.get(invite.target_cause or 0, "")))
    if invite.history:
        # The last entry is where the call is going: to us.
        hops = invite.history[:-1] or invite.history
        hop = hops[0] if which == "first" else hops[-1]
        found.append((hop.user, REASONS.get(hop.cause or 0, "")))
    if invite.diversions:
        # The newest value is on top: the last diverter is the first value.
        diversion = invite.diversions[-1] if which == "first" else invite.diversions[0]
        found.append((diversion.user, DIVERSION_REASONS.get(diversion.reason, diversion.reason)))
    if invite.called_party_user:
        found.append((invite.called_party_user, ""))
    return found
