"""Whose challenge our password answers in a dialog: that of the PBX that it is for, and of nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from voice.sip.gate import normal_address


class Challengers:
    """Knows the IP addresses of the registrar, and of who is told of waiting messages.

    Who subscribes or calls can ask for a password as well. An answer to a challenge that he fetched from the PBX would
    let him speak there in our name, and one to a challenge of his own making would let him guess the password at
    leisure. Where it is said of no PBX that the password is its, any that may call without one may ask for it.
    """

    def __init__(self, may_call: Callable[[str], bool], names: Iterable[str]) -> None:
        """names: the PBXs whose addresses will be told, such as "registrar"; may_call: whether an address may."""
        self._may_call = may_call
        self._hosts: dict[str, frozenset[str]] = dict.fromkeys(names, frozenset())

    def know(self, name: str, addresses: Iterable[str]) -> None:
        """The IP addresses of this PBX are these. From any thread."""
        self._hosts[name] = frozenset(map(normal_address, addresses))

    def may_ask(self, address: str) -> bool:
        """Whether a challenge to what was sent to this IP address is answered."""
        if not self._hosts:
            return self._may_call(address)
        return any(normal_address(address) in hosts for hosts in self._hosts.values())
