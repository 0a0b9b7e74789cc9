"""NOTIFY without a subscription, to a PBX that is one socket: what it looks like, and what follows each answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from tests.sip.conftest import FAST, free_udp_port
from tests.sip.conftest import Desk as CallDesk
from tests.sip.registrar import Registrar, is_right
from tests.sip.subscriber import waiting
from tests.support import rtp_ports_of, until
from voice.mailbox import MessageCounts
from voice.media.loop import MediaLoop
from voice.sip import Account, Credentials, PbxTarget, Phone, SipMessage, SubscriptionRules
from voice.sip import unsolicited as module
from voice.sip.lamp import Claim, Told


class Pbx(Registrar):
    """Also waits for NOTIFY."""

    def notify(self, status: str | None = "200 OK", *headers: str) -> SipMessage:
        """The next NOTIFY that is no repetition, answered."""
        known = {heard.vias[0].branch for heard in self.heard if heard.method == "NOTIFY"}
        found = self.receive(
            lambda heard: heard.method == "NOTIFY" and heard.vias[0].branch not in known, "NOTIFY from the phone"
        )
        self.server = found.source
        if status:
            self.answer(found, status, *headers)
        return found

    def notifies(self) -> int:
        return len({heard.vias[0].branch for heard in self.heard if heard.method == "NOTIFY"})


class Desk:
    """Claims whatever it is asked for; `counts` by mailbox, `asked` in order."""

    def __init__(self, phone: Phone) -> None:
        self.counts: dict[str, MessageCounts] = {"box": waiting(2, 8, 1, 2, version=7)}
        self.asked: list[list[str]] = []
        self.lamps: list[Told] = []
        self._phone = phone

    def claim(self, mailbox_ids: Iterable[str]) -> None:
        wanted = list(mailbox_ids)
        self.asked.append(wanted)
        found = {key: self._claims(key) for key in wanted}
        sender = self._phone.unsolicited
        assert sender
        self._phone.sip.post(lambda: sender.claimed(found))

    def told(self, told: Told) -> None:
        self.lamps.append(told)

    def _claims(self, key: str) -> list[Claim]:
        counts = self.counts.get(key)
        sender = self._phone.unsolicited
        assert sender
        return (
            [Claim(f"key of {key}", sender.target.uri.replace("{extension}", counts.extension), counts)]
            if counts
            else []
        )


@pytest.fixture
def pbx() -> Iterator[Pbx]:
    made = Pbx()
    yield made
    made.close()


@pytest.fixture
def start(desk: CallDesk, loop: MediaLoop, pbx: Pbx) -> Iterator[Callable[..., Phone]]:
    started: list[Phone] = []

    def make(user: str = "{extension}", pace: float = 0.0, target: str = "", account: Account | None = None) -> Phone:
        phone = Phone(
            host="127.0.0.1",
            port=free_udp_port(),
            rtp_ports=rtp_ports_of("phone"),
            loop=loop,
            on_call=desk.take,
            timer_values=FAST,
            credentials=Credentials("vm", "s3cret"),
            subscription_rules=SubscriptionRules(pace=pace),
            account=account,
            pbx_target=PbxTarget.of(target or pbx.address, user, "vm", registered=account is not None, refresh=900.0),
        )
        started.append(phone)
        phone.start()
        assert phone.unsolicited
        phone.unsolicited.desk = Desk(phone)
        return phone

    yield make
    for phone in started:
        phone.stop()


def desk_of(phone: Phone) -> Desk:
    assert phone.unsolicited
    assert isinstance(phone.unsolicited.desk, Desk)
    return phone.unsolicited.desk


def change(phone: Phone, *mailbox_ids: str) -> None:
    sender = phone.unsolicited
    assert sender
    phone.sip.post(lambda: sender.want(mailbox_ids or ("box",)))


def lamp(phone: Phone, number: int = 1) -> Told:
    """The last thing that was told, once there are so many."""
    told = desk_of(phone).lamps
    until(lambda: len(told) >= number, 10, f"{number} answers, not {told}")
    return told[-1]


def test_what_a_pbx_hears(start: Callable[..., Phone], pbx: Pbx) -> None:
    phone = start()
    change(phone)
    heard = pbx.notify()
    assert heard.uri.raw == f"sip:1001@{pbx.address}"
    assert heard.header("To") == f"<sip:1001@{pbx.address}>"
    assert (heard.header("From") or "").startswith("<sip:vm@127.0.0.1>;tag=")
    assert heard.header("Event") == "message-summary"
    assert heard.header("Subscription-State") == "active"
    assert heard.header("Content-Type") == "application/simple-message-summary"
    assert heard.contact is not None
    assert heard.contact.uri.address == ("127.0.0.1", phone.sip.myPort)
    account = f"sip:1001@{pbx.address}".encode()
    assert heard.content == (b"Messages-Waiting: yes\r\nMessage-Account: %s\r\nVoice-Message: 2/8 (1/2)\r\n" % account)
    told = lamp(phone)
    assert (told.key, told.kind, told.answer, told.works, told.version) == ("key of box", "pbx", "200 OK", True, 7)


def test_a_user_of_another_domain(start: Callable[..., Phone], pbx: Pbx) -> None:
    change(start(user="mwi-{extension}@pbx.example:5070"))
    heard = pbx.notify()
    assert heard.uri.raw == "sip:mwi-1001@pbx.example:5070"
    assert (heard.header("From") or "").startswith("<sip:vm@pbx.example:5070>;tag=")


@pytest.mark.parametrize(
    ("status", "answers"),
    [("401 Unauthorized", "Authorization"), ("407 Proxy Authentication Required", "Proxy-Authorization")],
)
def test_a_challenge_is_answered_and_its_nonce_used_again(
    start: Callable[..., Phone], pbx: Pbx, status: str, answers: str
) -> None:
    phone = start()
    change(phone)
    first = pbx.notify(None)
    nonce = pbx.challenge(first, "SHA-256", status=status)
    second = pbx.notify()
    assert is_right(second, "vm", "s3cret", nonce, answers)
    assert (second.call_id, second.cseq[0]) == (first.call_id, first.cseq[0] + 1)
    assert lamp(phone).works
    change(phone)
    third = pbx.notify()
    assert is_right(third, "vm", "s3cret", nonce, answers)
    assert third.call_id != first.call_id


def test_many_that_are_challenged_at_once_are_no_wrong_password(start: Callable[..., Phone], pbx: Pbx) -> None:
    phone = start()
    desk_of(phone).counts = {f"box{number}": replace(waiting(1), mailbox_id=f"box{number}") for number in range(5)}
    change(phone, *desk_of(phone).counts)
    for heard in [pbx.notify(None) for _ in range(5)]:
        pbx.challenge(heard)
    for _ in range(5):
        pbx.notify()
    lamp(phone, 5)
    assert all(told.works for told in desk_of(phone).lamps)


def test_a_wrong_password_is_not_tried_again_and_again(start: Callable[..., Phone], pbx: Pbx) -> None:
    phone = start()
    change(phone)
    for _ in range(2):
        pbx.challenge(pbx.notify(None))
    told = lamp(phone)
    assert (told.works, told.version) == (False, None)
    assert "wrong user name or password" in told.answer
    change(phone)
    assert pbx.is_answered()
    assert pbx.notifies() == 2


def test_a_refusal_of_one_mailbox_holds_up_no_other(start: Callable[..., Phone], pbx: Pbx) -> None:
    phone = start()
    for status in ("404 Not Found", "480 Temporarily Unavailable", "489 Bad Event", "481 Gone", "500 Fault"):
        change(phone)
        pbx.notify(status)
        told = lamp(phone, pbx.notifies())
        assert (told.answer, told.works, told.version) == (status, False, 7)
    change(phone)
    pbx.notify()
    assert lamp(phone, 6).works


def test_silence_and_then_the_newest_counts_alone(
    start: Callable[..., Phone], pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_FIRST", 0.2)
    phone = start()
    change(phone)
    silent = pbx.notify(None)
    told = lamp(phone)
    assert (told.works, told.version, told.answer) == (False, None, "no answer within 3 s")
    repeats = [heard for heard in pbx.rest() if heard.call_id == silent.call_id]
    assert len(repeats) > 3
    desk_of(phone).counts["box"] = waiting(9, version=9)
    change(phone)
    heard = pbx.notify()
    while b"9/0" not in heard.content:
        heard = pbx.notify()
    until(lambda: desk_of(phone).lamps[-1].version == 9, 10, "the newest counts")


def test_a_pbx_that_cannot_now_is_asked_again_with_one(
    start: Callable[..., Phone], pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = start()
    desk_of(phone).counts = {f"box{number}": replace(waiting(1), mailbox_id=f"box{number}") for number in range(3)}
    change(phone, "box0")
    pbx.notify("503 Service Unavailable", "Retry-After: 1")
    assert lamp(phone).version is None
    change(phone, "box1", "box2")
    pbx.notify(None)
    assert desk_of(phone).asked[1:] == [["box0"]]
    pbx.answer(pbx.heard[-1], "200 OK")
    pbx.notify()
    pbx.notify()
    lamp(phone, 4)


def test_once_a_second_and_the_last_state(start: Callable[..., Phone], pbx: Pbx) -> None:
    phone = start(pace=1.0)
    change(phone)
    pbx.notify()
    for number in range(20):
        desk_of(phone).counts["box"] = waiting(number, version=20 + number)
        change(phone)
    assert pbx.is_answered()
    assert pbx.notifies() == 1
    assert b"19/0" in pbx.notify().content
    assert len(desk_of(phone).asked) == 2


def test_what_nobody_may_tell_is_not_told(start: Callable[..., Phone], pbx: Pbx) -> None:
    phone = start()
    change(phone, "another")
    until(lambda: desk_of(phone).asked, 5, "the question")
    change(phone)
    assert b"2/8" in pbx.notify().content
    assert pbx.notifies() == 1


def test_a_name_is_looked_up(start: Callable[..., Phone], pbx: Pbx) -> None:
    change(start(target=f"localhost:{pbx.port}"))
    assert pbx.notify().uri.raw == f"sip:1001@localhost:{pbx.port}"


def test_a_registrar_is_told_once_we_are_registered(
    start: Callable[..., Phone], pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READY_SECONDS", 0.05)
    phone = start(account=Account(pbx.address, "vm", "s3cret"))
    change(phone)
    phone.register()
    register = pbx.register()
    assert pbx.notifies() == 0
    pbx.accept(register)
    pbx.notify()
    assert lamp(phone).works
