"""The request of a webhook: its body, signature and headers. docs/webhook.md says how receivers check it."""

from __future__ import annotations

import functools
import json
import time
from typing import Any

from app import net
from app.config import Settings
from app.net import SIGNATURE, USER_AGENT, timestamped
from app.services.webhooks import Hook

# Those that we set, and those that say how the bytes travel.
OURS = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("idempotency-key", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
        *(SIGNATURE.lower(), "proxy-authorization", "proxy-connection"),
    }
)


def post(hook: Hook, event: dict[str, Any], key: str, settings: Settings) -> net.Answer:
    """Post an event; its answer, whatever the status. net.NetError. No transaction may be open."""
    body = json.dumps(event, ensure_ascii=False).encode()
    own = [(name, value) for name, value in hook.headers if name.lower() not in OURS]
    headers = [
        *own,
        ("Content-Type", "application/json"),
        ("User-Agent", USER_AGENT),
        ("Idempotency-Key", key),
        (SIGNATURE, timestamped(hook.secret, body, int(time.time()))),
    ]
    client = _client(tuple(settings.webhook.allowed_networks), settings.webhook.timeout_seconds)
    return client.request("POST", hook.url, headers=headers, content=body)


@functools.lru_cache(maxsize=4)
def _client(allowed: tuple[str, ...], total: float) -> net.Client:
    """Kept with its connections: to make one took longer than a call."""
    limits = net.Limits(connect=min(5.0, total), read=total, total=total)
    return net.Client(allowed=allowed, limits=limits)
