"""Who may ask for our password in a dialog."""

from __future__ import annotations

import pytest

from voice.sip.challengers import Challengers


def test_where_no_pbx_has_a_password_whoever_may_call_may_ask() -> None:
    challengers = Challengers("127.0.0.1".__eq__, [])
    assert challengers.may_ask("127.0.0.1")
    assert not challengers.may_ask("192.0.2.1")


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:DB8:0::1", "198.51.100.9"])
def test_the_addresses_of_each_pbx(address: str) -> None:
    challengers = Challengers(lambda _: False, ["registrar", "another"])
    challengers.know("registrar", ["192.0.2.1", "2001:db8::1"])
    challengers.know("another", ["198.51.100.9"])
    assert challengers.may_ask(address)


def test_others_may_not_though_they_may_call_and_nobody_before_the_name_is_known() -> None:
    challengers = Challengers(lambda _: True, ["registrar"])
    assert not challengers.may_ask("192.0.2.1")
    challengers.know("registrar", ["192.0.2.1"])
    assert challengers.may_ask("192.0.2.1")
    assert not challengers.may_ask("192.0.2.2")
    challengers.know("registrar", ["192.0.2.2"])
    assert not challengers.may_ask("192.0.2.1")
