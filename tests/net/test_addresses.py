"""Which addresses may be connected to."""

from __future__ import annotations

import ipaddress

import pytest

from app.net import may_connect

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1", "64:ff9b::808:808"],
)
def test_public_addresses(address: str) -> None:
    assert may_connect(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
        *("192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255"),
        *("240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::1"),
        *("2002:808:808::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2001:0:808:808::1"),
        *("100::1", "3fff::1", "5f00::1", "", "localhost", "8.8.8", "0x7f.1", "2130706433"),
    ],
)
def test_others_are_refused(address: str) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.9.9.9"])
def test_an_allowed_network_counts(address: str) -> None:
    assert may_connect(address, LOOPBACK)


@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "fe80::1", "::2"])
def test_no_other_network_comes_along(address: str) -> None:
    assert not may_connect(address, LOOPBACK)
