"""What pyVoIP 1.6.8 gets wrong and no other test of ours would notice; docs/pyvoip.md has the whole list."""

from __future__ import annotations

import select
import subprocess
import sys
import threading
import warnings

import pytest
import pyVoIP.VoIP.VoIP

from app.config import PROJECT_ROOT
from tests.sip.conftest import Desk
from tests.sip.desk import no_traces
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.sip import Phone, SipCall
from voice.sip.client import SipClient


def test_a_call_after_a_hundred_thousand_others_is_answered(peer: Peer, phone: Phone) -> None:
    phone.session_ids = list(range(1, 100001))
    leg = Leg(peer)
    leg.establish()
    assert leg.ask("BYE").code == 200


def test_ports_that_were_used_before_cost_nothing(peer: Peer, phone: Phone) -> None:
    class Searched(list[int]):
        def __contains__(self, port: object) -> bool:
            raise AssertionError("a search through all ports that were ever used")

    phone.assignedPorts = Searched(range(10000, 20000))
    leg = Leg(peer)
    leg.establish()
    assert leg.ask("BYE").code == 200


def test_ports_of_calls_that_run_are_not_given_to_others(peer: Peer, phone: Phone, desk: Desk) -> None:
    first, second = Leg(peer), Leg(peer)
    first.establish()
    phone.release_ports()
    phone.release_ports(desk.calls[0])
    second.establish()
    ports = {call.stream.inPort for call in desk.calls}
    assert len(ports) == 2
    assert first.ask("BYE").code == second.ask("BYE").code == 200


def test_neither_a_call_nor_a_repeated_invite_nor_hold_starts_a_thread(peer: Peer, desk: Desk) -> None:
    before = set(threading.enumerate())
    leg = Leg(peer)
    leg.invite()
    invite = leg.last
    answer = leg.final()
    stream = desk.calls[0].stream
    peer.send(invite)
    leg.final()
    leg.ack(answer)
    for body in (audio("a=sendonly"), audio()):
        assert leg.ask("INVITE", body=body).code == 200
    assert desk.calls[0].stream is stream
    assert set(threading.enumerate()) <= before
    assert leg.ask("BYE").code == 200


def test_a_call_waits_for_no_timer(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyVoIP lets a second go by before each call, and another before it hears anything."""

    class NoTimer:
        def __init__(self, *_: object, **__: object) -> None:
            raise AssertionError("a timer of its own")

    monkeypatch.setattr(threading, "Timer", NoTimer)
    monkeypatch.setattr(pyVoIP.VoIP.VoIP, "Timer", NoTimer)
    monkeypatch.setattr(pyVoIP.SIP, "Timer", NoTimer)
    leg = Leg(peer)
    leg.establish()
    assert leg.ask("BYE").code == 200


def test_an_idle_phone_does_not_poll(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[float | None] = []
    real = select.select

    def counted(*arguments: object) -> object:
        rounds.append(arguments[-1])  # type: ignore[arg-type]
        return real(*arguments)  # type: ignore[arg-type]

    over = threading.Event()
    monkeypatch.setattr("voice.sip.client.select.select", counted)
    phone.sip.post(lambda: phone.sip.timers.call_later(0.5, over.set))  # type: ignore[arg-type, return-value]
    assert over.wait(20)
    # Polled at 100 Hz it would be fifty.
    assert 0 < len(rounds) < 10


def test_nothing_is_kept_of_calls_that_are_over(peer: Peer, phone: Phone) -> None:
    def kept() -> tuple[int, ...]:
        sip = phone.sip
        lists = (sip.tags, sip.tagLibrary, phone.calls, phone.session_ids, phone.assignedPorts, phone.threads)
        return tuple(len(each) for each in lists)

    before = kept()
    for _ in range(3):
        leg = Leg(peer)
        leg.establish()
        assert leg.ask("BYE").code == 200
    no_traces(phone)
    assert kept() == before


def test_call_ids_are_new_after_each_start(phone: Phone) -> None:
    other = SipClient("127.0.0.1", 5060, "voicemail", "", phone=phone, myIP="127.0.0.1", myPort=phone.sip.myPort)
    try:
        assert len({client.gen_call_id() for client in (phone.sip, other) for _ in range(3)}) == 6
    finally:
        other.stop()


def test_an_unknown_codec_changes_nobodys_warnings(peer: Peer) -> None:
    with warnings.catch_warnings(record=True) as told:
        filters = list(warnings.filters)
        leg = Leg(peer)
        leg.establish(body=audio("a=rtpmap:96 opus/48000/2", "a=rtpmap:99 nonsense/1", formats="96 99 98 0 101"))
        assert leg.ask("BYE").code == 200
        assert list(warnings.filters) == filters
        assert told == []


def test_a_call_is_freed_though_the_lock_of_the_ports_is_held(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    freeing = threading.Thread(target=SipCall.__del__, args=(desk.calls[0],), daemon=True)
    with phone.portsLock:
        freeing.start()
        freeing.join(20)
        assert not freeing.is_alive()
    assert leg.ask("BYE").code == 200


@pytest.mark.parametrize("module", ["voice.sip.message", "voice.sip.client", "voice.media.stream"])
def test_every_order_of_imports_works(module: str) -> None:
    """pyVoIP.SIP cannot be imported before pyVoIP.VoIP."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], cwd=PROJECT_ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_port_is_given_back_once(peer: Peer, phone: Phone) -> None:
    def unused() -> int:
        return len(phone.ports._free) + len(phone.ports._draining)

    before = unused()
    leg = Leg(peer)
    leg.establish()
    assert leg.ask("BYE").code == 200
    until(lambda: unused() == before, what="the port")
    assert len({*phone.ports._free, *(port for _, port in phone.ports._draining)}) == before
