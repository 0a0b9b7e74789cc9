"""The checks of `flask doctor` on the voice side: it answers, and it is registered."""

from __future__ import annotations

import secrets
import socket

from app.config import Settings
from app.errors import Unavailable
from app.findings import Doubtful, Wrong
from app.hosts import bracketed
from app.services import workers

ANSWER_SECONDS = 3.0


def sip(settings: Settings) -> str:
    """The voice worker answers OPTIONS (RFC 3261 section 11)."""
    if not settings.voice_enabled:
        return 'switched off: [proxy] addons does not name "voicemail"'
    wildcards = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    host = wildcards.get(settings.sip.host, settings.sip.host)
    where = f"UDP {bracketed(host)}:{settings.sip.port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.settimeout(ANSWER_SECONDS)
        try:
            peer.connect((host, settings.sip.port))
            peer.send(_options(host, settings.sip.port, peer.getsockname()[1]))
            first = peer.recv(65535).split(b"\r\n", 1)[0].decode("ascii", "replace")
        except OSError:
            raise Wrong(f"no answer from {where}", "Start the voice worker, or correct SIP_HOST and SIP_PORT") from None
    if not first.startswith("SIP/2.0 200"):
        raise Wrong(f"{where} answers {first[:80]!r}", "Another program may have this port; change SIP_PORT")
    return f"{where} answers"


def _options(host: str, port: int, own_port: int) -> bytes:
    host = bracketed(host)
    token = secrets.token_hex(8)
    lines = (
        f"OPTIONS sip:doctor@{host}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{own_port};rport;branch=z9hG4bK{token}",
        "Max-Forwards: 70",
        f"From: <sip:doctor@{host}>;tag={token}",
        f"To: <sip:doctor@{host}>",
        f"Call-ID: {token}@doctor",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:doctor@{host}:{own_port}>",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def registrar(settings: Settings) -> str:
    """The voice worker is registered with its PBX."""
    wanted = settings.sip.registrar
    if not wanted or not settings.voice_enabled:
        return "not set, no PBX is registered with"
    try:
        found = [worker["registered"] for worker in workers.live(settings) if worker.get("registered")]
    except Unavailable:
        raise Doubtful("Redis is away, so nobody knows", "See the line of redis") from None
    ours = next((one for one in found if one["registrar"] == wanted), None)
    if ours is None:
        raise Doubtful(f"no voice worker says that it registers with {wanted}", "Start the voice worker")
    if ours["state"] != "registered":
        raise Wrong(f"{ours['state']} at {wanted}: {ours['reason'] or 'no answer yet'}", "Check [voicemail.sip]")
    return f"registered with {wanted} until {ours['until']}"
