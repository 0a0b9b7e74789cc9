"""Keys in INFO."""

from __future__ import annotations

import pytest

from tests.sip.messages import parsed, request
from voice.sip.info import carries_keys, key_of


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("Application/DTMF-Relay; x=y", b"signal = * \nDuration = 160", "*"),
        ("application/dtmf-relay", b"Duration=160\r\nSignal=11\r\n", "#"),
        ("application/dtmf-relay", b"Signal=d", "D"),
        ("application/dtmf", b"7", "7"),
        ("application/dtmf", b" 10\r\n", "*"),
        ("application/dtmf", b"16", None),
        ("application/dtmf", b"\xff", None),
        ("application/dtmf", b"55", None),
        ("application/dtmf-relay", b"Signal=", None),
        ("application/dtmf-relay", b"5", None),
        ("application/dtmf-relay", b"\n" * 60000, None),
    ],
)
def test_keys(kind: str, body: bytes, key: str | None) -> None:
    message = parsed(request("INFO", body=body, kind=kind))
    assert carries_keys(message)
    assert key_of(message) == key


def test_other_bodies_carry_no_key() -> None:
    message = parsed(request("INFO", body=b"<media_control/>", kind="application/media_control+xml"))
    assert not carries_keys(message)
    assert key_of(message) is None
    assert not carries_keys(parsed(request("INFO")))
