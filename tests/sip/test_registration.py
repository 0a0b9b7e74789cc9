"""Registration over real sockets: what we send to a registrar, and what we make of each of its answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.sip.conftest import FAST, Desk, free_udp_port
from tests.sip.peer import Leg, Peer
from tests.sip.registrar import Registrar, credentials, is_right
from tests.support import rtp_ports_of, until
from voice.media.loop import MediaLoop
from voice.sip import Account, Phone, SipMessage
from voice.sip.registration import Pace, RegistrationState

QUICK = Pace(0.05, 0.1, 0.05, 0.1)
NEVER = Pace(0.05, 0.1, 3600.0, 3600.0)
Start = Callable[..., Phone]


@pytest.fixture
def registrar() -> Iterator[Registrar]:
    made = Registrar()
    yield made
    made.close()


@pytest.fixture
def start(desk: Desk, loop: MediaLoop, registrar: Registrar) -> Iterator[Start]:
    """A phone that registers with the registrar of the test, or with the one named."""
    started: list[Phone] = []

    def make(place: str = "", password: str = "s3cret", pace: Pace = QUICK, auth_username: str = "") -> Phone:
        account = Account(place or registrar.address, "vm", password, auth_username, 600)
        phone = Phone(
            host="127.0.0.1",
            port=free_udp_port(),
            rtp_ports=rtp_ports_of("phone"),
            loop=loop,
            on_call=desk.take,
            timer_values=FAST,
            account=account,
            pace=pace,
        )
        started.append(phone)
        phone.start()
        phone.register()
        return phone

    yield make
    over = threading.Event()
    goodbyes = threading.Thread(target=registrar.say_yes, args=(over,))
    goodbyes.start()
    for phone in started:
        phone.stop()
    over.set()
    goodbyes.join()


def state(phone: Phone) -> RegistrationState:
    assert phone.registration
    return phone.registration


def registered(phone: Phone) -> None:
    until(lambda: state(phone).state == "registered", 15, f"registered, not {state(phone)}")


def test_register_names_the_phone_and_asks_for_the_time_set(start: Start, registrar: Registrar) -> None:
    phone = start()
    request = registrar.register()
    assert request.uri.raw == f"sip:{registrar.address}"
    assert request.to.uri.raw == request.from_.uri.raw == "sip:vm@127.0.0.1"
    assert (request.from_.tag != "", request.to.tag) == (True, "")
    assert request.contact is not None
    assert request.contact.uri.raw == f"sip:vm@127.0.0.1:{phone.sip.myPort}"
    assert (request.contact.params["expires"], request.header("Expires")) == ("600", "600")
    assert request.source == ("127.0.0.1", phone.sip.myPort)
    assert request.header("Authorization") is None
    registrar.accept(request, 600)
    registered(phone)
    assert state(phone).registrar == registrar.address
    assert state(phone).until is not None


def test_it_is_repeated_until_it_is_answered(start: Start, registrar: Registrar) -> None:
    phone = start()
    first = registrar.register()
    again = registrar.requested("REGISTER")
    assert (again.vias[0].branch, again.cseq) == (first.vias[0].branch, first.cseq)
    registrar.accept(first)
    registered(phone)


@pytest.mark.parametrize("qop", ["auth", "auth,auth-int", ""])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_challenge_is_answered(start: Start, registrar: Registrar, algorithm: str, qop: str) -> None:
    phone = start()
    first = registrar.register()
    nonce = registrar.challenge(first, algorithm, qop)
    second = registrar.register()
    assert is_right(second, "vm", "s3cret", nonce)
    assert (second.call_id, second.cseq[0]) == (first.call_id, first.cseq[0] + 1)
    assert second.from_.tag == first.from_.tag
    registrar.accept(second)
    registered(phone)


def test_the_digest_may_have_a_name_of_its_own(start: Start, registrar: Registrar) -> None:
    start(auth_username="trunk-7")
    nonce = registrar.challenge(registrar.register())
    second = registrar.register()
    assert is_right(second, "trunk-7", "s3cret", nonce)
    assert second.from_.uri.user == "vm"


def test_a_proxy_and_the_registrar_may_both_ask(start: Start, registrar: Registrar) -> None:
    phone = start()
    outer = registrar.challenge(registrar.register(), status="407 Proxy Authentication Required")
    second = registrar.register()
    assert is_right(second, "vm", "s3cret", outer, "Proxy-Authorization")
    assert credentials(second) == {}
    inner = registrar.challenge(second, "SHA-256")
    third = registrar.register()
    assert is_right(third, "vm", "s3cret", outer, "Proxy-Authorization")
    assert is_right(third, "vm", "s3cret", inner)
    assert credentials(third, "Proxy-Authorization")["nc"] == "00000002"
    registrar.accept(third)
    registered(phone)


def test_the_strongest_algorithm_is_taken(start: Start, registrar: Registrar) -> None:
    start()
    lines = [
        f'WWW-Authenticate: Digest realm="pbx.example", nonce="n", algorithm={name}' for name in ("MD5", "SHA-256")
    ]
    registrar.answer(registrar.register(), "401 Unauthorized", *lines)
    second = registrar.register()
    assert credentials(second)["algorithm"] == "SHA-256"
    assert is_right(second, "vm", "s3cret", "n")


def test_a_refresh_comes_in_time_and_uses_the_nonce_again(start: Start, registrar: Registrar) -> None:
    phone = start()
    nonce = registrar.challenge(registrar.register())
    second = registrar.register()
    registrar.accept(second, 2)
    refresh = registrar.register()
    assert state(phone).state == "registered"
    assert is_right(refresh, "vm", "s3cret", nonce)
    assert credentials(refresh)["nc"] == "00000002"
    assert (refresh.call_id, refresh.cseq[0]) == (second.call_id, second.cseq[0] + 1)
    registrar.accept(refresh)


def test_a_stale_nonce_is_replaced(start: Start, registrar: Registrar) -> None:
    phone = start()
    registrar.challenge(registrar.register())
    registrar.accept(registrar.register(), 2)
    nonce = registrar.challenge(registrar.register(), stale=True)
    again = registrar.register()
    assert is_right(again, "vm", "s3cret", nonce)
    assert credentials(again)["nc"] == "00000001"
    fresh = registrar.challenge(again, stale=True)
    last = registrar.register()
    assert is_right(last, "vm", "s3cret", fresh)
    registrar.accept(last)
    registered(phone)


def test_a_nonce_that_a_refresh_may_not_use_is_replaced_though_nobody_calls_it_stale(
    start: Start, registrar: Registrar
) -> None:
    phone = start()
    registrar.challenge(registrar.register())
    registrar.accept(registrar.register(), 2)
    nonce = registrar.challenge(registrar.register())
    again = registrar.register()
    assert is_right(again, "vm", "s3cret", nonce)
    registrar.accept(again)
    registered(phone)


def test_a_wrong_password_is_said_once_and_not_tried_on(
    start: Start, registrar: Registrar, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        phone = start(password="wrong", pace=NEVER)
        registrar.challenge(registrar.register())
        registrar.challenge(registrar.register())
        until(lambda: state(phone).state == "refused", 15, "refused")
    assert "wrong user name or password" in state(phone).reason
    lines = [record.getMessage() for record in caplog.records if "not registered" in record.getMessage()]
    assert len(lines) == 1
    assert "sip.password" in lines[0]
    assert "wrong;" not in caplog.text
    phone.stop()
    assert registrar.rest() == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['WWW-Authenticate: Basic realm="x"'], "without a digest challenge"),
        ([], "without a digest challenge"),
        (['WWW-Authenticate: Digest realm="x", nonce="n", algorithm=NEW-1'], "algorithm that we do not know"),
    ],
)
def test_a_challenge_that_cannot_be_answered(start: Start, registrar: Registrar, lines: list[str], reason: str) -> None:
    phone = start(pace=NEVER)
    registrar.answer(registrar.register(), "401 Unauthorized", *lines)
    until(lambda: state(phone).state == "refused", 15, "refused")
    assert reason in state(phone).reason


def test_a_missing_password_is_said(start: Start, registrar: Registrar) -> None:
    phone = start(password="", pace=NEVER)
    registrar.challenge(registrar.register())
    until(lambda: state(phone).state == "refused", 15, "refused")
    assert "sip.password" in state(phone).reason


def test_a_registrar_that_always_calls_nonces_stale_is_left(start: Start, registrar: Registrar) -> None:
    phone = start(pace=NEVER)
    registrar.challenge(registrar.register())
    for _ in range(5):
        registrar.challenge(registrar.register(), stale=True)
    until(lambda: state(phone).state == "refused", 15, "refused")


def test_a_longer_time_is_asked_for_where_the_registrar_wants_it(start: Start, registrar: Registrar) -> None:
    phone = start()
    registrar.answer(registrar.register(), "423 Interval Too Brief", "Min-Expires: 1800")
    second = registrar.register()
    assert second.header("Expires") == "1800"
    registrar.accept(second, 2)
    refresh = registrar.register()
    assert refresh.header("Expires") == "1800"
    registrar.accept(refresh)
    registered(phone)


@pytest.mark.parametrize("line", ["Min-Expires: 10", "X: none", "Min-Expires: soon"])
def test_an_interval_that_cannot_be_met_is_refused(start: Start, registrar: Registrar, line: str) -> None:
    phone = start(pace=NEVER)
    registrar.answer(registrar.register(), "423 Interval Too Brief", line)
    until(lambda: state(phone).state == "refused", 15, "refused")


def test_our_own_contact_counts_among_several(start: Start, registrar: Registrar) -> None:
    phone = start()
    request = registrar.register()
    own = f"<sip:vm@127.0.0.1:{phone.sip.myPort}>;q=0.5;expires=2"
    others = "<sip:vm@192.0.2.1:5060>;expires=3000, tel:+1;expires=1"
    registrar.answer(request, "200 OK", "Expires: 4000", f"Contact: {others}, {own}")
    registrar.accept(registrar.register(), 3600)  # only two seconds lead to a refresh within the test
    registered(phone)


def test_expires_counts_where_our_contact_says_nothing(start: Start, registrar: Registrar) -> None:
    phone = start()
    request = registrar.register()
    registrar.answer(request, "200 OK", "Expires: 2", f"Contact: <sip:vm@127.0.0.1:{phone.sip.myPort}>")
    registrar.accept(registrar.register())
    registered(phone)


def test_an_answer_that_keeps_nothing_is_a_refusal(start: Start, registrar: Registrar) -> None:
    phone = start(pace=NEVER)
    registrar.accept(registrar.register(), 0)
    until(lambda: state(phone).state == "refused", 15, "refused")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("403 Forbidden", "refused"),
        ("404 Not Found", "refused"),
        ("302 Moved Temporarily", "refused"),
        ("603 Decline", "refused"),
        ("500 Server Internal Error", "trying"),
        ("503 Service Unavailable", "trying"),
        ("480 Temporarily Unavailable", "trying"),
    ],
)
def test_it_is_tried_again_after_a_refusal(start: Start, registrar: Registrar, status: str, word: str) -> None:
    phone = start()
    registrar.answer(registrar.register(), status)
    until(lambda: state(phone).reason == status, 15, f"{status}, not {state(phone)}")
    assert state(phone).state == word
    assert state(phone).next_try is not None
    registrar.accept(registrar.register())
    registered(phone)
    assert state(phone).reason == ""


def test_a_registrar_that_comes_back_is_registered_with(start: Start, registrar: Registrar) -> None:
    phone = start()
    first = registrar.register()
    until(lambda: state(phone).reason == "no answer", 15, "no answer")
    second = registrar.register()
    assert (second.call_id, second.cseq[0]) == (first.call_id, first.cseq[0] + 1)
    registrar.accept(second)
    registered(phone)


def test_other_traffic_is_served_meanwhile(start: Start, registrar: Registrar) -> None:
    phone = start()
    request = registrar.register()
    other = Peer(("127.0.0.1", phone.sip.myPort))
    assert other.is_answered()
    leg = Leg(other)
    leg.establish()
    registrar.answer(request, "100 Trying")
    registrar.send(b"no SIP at all, though from the registrar")
    registrar.accept(request)
    registered(phone)
    assert leg.ask("BYE").code == 200
    other.close()


def test_a_stop_takes_the_registration_back(start: Start, registrar: Registrar) -> None:
    phone = start()
    first = registrar.register()
    registrar.accept(first)
    registered(phone)
    asked = _stopping(phone, registrar)
    assert (asked.header("Expires"), asked.call_id) == ("0", first.call_id)
    assert asked.contact is not None
    assert asked.contact.params["expires"] == "0"


def test_a_challenge_at_the_stop_is_answered(start: Start, registrar: Registrar) -> None:
    phone = start()
    registrar.challenge(registrar.register())
    registrar.accept(registrar.register())
    registered(phone)
    asked = _stopping(phone, registrar, stale=True)
    assert asked.header("Expires") == "0"
    assert is_right(asked, "vm", "s3cret", "nonce-2")


def test_a_registration_under_way_at_the_stop_is_taken_back(start: Start, registrar: Registrar) -> None:
    phone = start()
    request = registrar.register()
    phone.sip.post(lambda: phone._registration and phone._registration.leave())
    registrar.accept(request)
    assert registrar.register().header("Expires") == "0"


def test_a_stop_without_a_registration_asks_for_nothing(start: Start, registrar: Registrar) -> None:
    phone = start(pace=NEVER)
    registrar.answer(registrar.register(), "403 Forbidden")
    until(lambda: state(phone).state == "refused", 15, "refused")
    phone.stop()
    assert registrar.rest() == []


def test_a_stop_does_not_wait_for_a_registrar_that_is_gone(start: Start, registrar: Registrar) -> None:
    phone = start()
    registrar.accept(registrar.register())
    registered(phone)
    registrar.close()
    phone.stop()
    assert not phone.NSD


def test_a_name_is_looked_up(start: Start, registrar: Registrar) -> None:
    phone = start(f"localhost:{registrar.port}")
    request = registrar.register()
    assert request.uri.raw == f"sip:localhost:{registrar.port}"
    assert request.to.uri.raw == "sip:vm@localhost"
    registrar.accept(request)
    registered(phone)


def test_a_name_that_leads_nowhere_is_said(start: Start) -> None:
    # A label of more than 63 letters is refused without asking anybody.
    phone = start("x" * 70)
    until(lambda: "cannot be looked up" in state(phone).reason, 15, "the reason")
    assert state(phone).state == "trying"
    peer = Peer(("127.0.0.1", phone.sip.myPort))
    assert peer.is_answered()
    peer.close()


def _stopping(phone: Phone, registrar: Registrar, stale: bool = False) -> SipMessage:
    """Stop the phone; its last REGISTER, answered."""
    stopping = threading.Thread(target=phone.stop)
    stopping.start()
    asked = registrar.register()
    if stale:
        registrar.challenge(asked, stale=True)
        asked = registrar.register()
    registrar.accept(asked, 0)
    stopping.join()
    return asked
