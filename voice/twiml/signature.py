"""How a server knows that a request is ours: Twilio's signature, and one that cannot be replayed.

Source: https://www.twilio.com/docs/usage/security. The `twilio` package's RequestValidator accepts the first; the
second is that of our webhooks (docs/webhook.md) over the URL, a line break and the body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

from app import net

HEADER = "X-Twilio-Signature"


def twilio_signature(token: str, url: str, form: Iterable[tuple[str, str]] = ()) -> str:
    """The value of X-Twilio-Signature. url: exactly as it is requested. form: of a POST, in any order.

    Names in their order, each followed by its values, those in their order and each once.
    """
    told = url + "".join(f"{name}{value}" for name, value in sorted(set(form)))
    digest = hmac.new(token.encode(), told.encode(errors="replace"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def signatures(token: str, url: str, form: Iterable[tuple[str, str]], body: bytes, at: int) -> list[tuple[str, str]]:
    """Both headers. body: as it is sent. at: UNIX time."""
    return [
        (HEADER, twilio_signature(token, url, form)),
        (net.SIGNATURE, net.timestamped(token, url.encode() + b"\n" + body, at)),
    ]
