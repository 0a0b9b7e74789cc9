"""Keys over a line that loses, doubles and reorders packets: each is told once, in order."""

from __future__ import annotations

import random

from tests.peers.lossy import Line, LossyRelay
from tests.sip.conftest import Desk
from tests.support import until
from voice.caller import Caller
from voice.events import Digit
from voice.media.dtmf import KEYS
from voice.sip import Phone


def test_no_key_is_lost_or_doubled(phone: Phone, desk: Desk) -> None:
    keys = "1123#**0" + "".join(random.Random(3).choices(KEYS, k=16))
    with Caller("127.0.0.1", phone.sip.myPort) as caller:
        caller.dial("1001")
        with LossyRelay(caller.audio.to, Line(lost=0.05, doubled=0.2, jitter=0.06), seed=8) as relay:
            caller.audio.to = relay.address
            caller.press(keys)
            caller.press("A")
            until(lambda: _keys(desk).endswith("A") and len(_keys(desk)) > len(keys), what="the last key")
            assert relay.dropped > 0
        caller.hang_up()
    assert _keys(desk) == keys + "A"


def _keys(desk: Desk) -> str:
    return "".join(event.key for event in tuple(desk.events) if isinstance(event, Digit))
