"""What we say of ourselves in requests to others, and how they know that a request is ours and fresh."""

from __future__ import annotations

import hashlib
import hmac

from app.version import VERSION

USER_AGENT = f"Voicemail-Pro/{VERSION}"
SIGNATURE = "X-Voicemail-Signature"


def timestamped(secret: str, told: bytes, at: int) -> str:
    """The value of SIGNATURE: it proves that `told` is ours and not older than `at` (UNIX time)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + told, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
