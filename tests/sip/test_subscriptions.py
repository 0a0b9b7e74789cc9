"""SUBSCRIBE and NOTIFY for message-summary over real sockets (RFC 6665, RFC 3842)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.sip.conftest import FAST, free_udp_port
from tests.sip.conftest import Desk as CallDesk
from tests.sip.peer import Peer
from tests.sip.registrar import is_right
from tests.sip.subscriber import ACCEPT, Desk, Subscriber, waiting
from tests.support import rtp_ports_of, until
from voice.mailbox import MessageCounts
from voice.media.loop import MediaLoop
from voice.sip import Account, Credentials, Phone, SipError, SubscriptionRules
from voice.sip.lamp import PbxTarget

BODY = b"Messages-Waiting: yes\r\nMessage-Account: sip:1001@127.0.0.1\r\nVoice-Message: 2/8 (1/2)\r\n"


@pytest.fixture
def start(desk: CallDesk, loop: MediaLoop) -> Iterator[Callable[..., Phone]]:
    started: list[Phone] = []

    def make(rules: SubscriptionRules | None = None, port: int = 0, **options: Any) -> Phone:
        phone = Phone(
            host="127.0.0.1",
            port=port or free_udp_port(),
            rtp_ports=rtp_ports_of("phone"),
            loop=loop,
            on_call=desk.take,
            timer_values=FAST,
            credentials=Credentials("vm", "s3cret"),
            subscription_rules=rules or SubscriptionRules(pace=0.0),
            **options,
        )
        started.append(phone)
        phone.start()
        return phone

    yield make
    for phone in started:
        phone.stop()


@pytest.fixture
def phone(start: Callable[..., Phone]) -> Phone:
    made = start()
    made.subscriptions.desk = Desk(made)
    made.subscriptions.restored = True
    return made


@pytest.fixture
def counter(phone: Phone) -> Desk:
    assert isinstance(phone.subscriptions.desk, Desk)
    return phone.subscriptions.desk


@pytest.fixture
def subscriber(peer: Peer) -> Subscriber:
    return Subscriber(peer)


def change(phone: Phone, mailbox_id: str | None = "box") -> None:
    phone.sip.post(lambda: phone.subscriptions.changed(mailbox_id))


class Slow(Desk):
    """A message is left, and announced, while the answer to a SUBSCRIBE is on its way."""

    def find(self, users: list[str], on_found: Callable[[object], None]) -> bool:
        counted, self.answer = self.answer, waiting(3, 8, 1, 2)
        self._phone.sip.post(lambda: self._phone.subscriptions.changed("box"))
        self._phone.sip.post(lambda: on_found(counted))
        return True


def held(phone: Phone, number: int) -> None:
    until(lambda: len(phone.subscriptions) == number, 15, f"{number} subscriptions, not {len(phone.subscriptions)}")


def test_a_message_that_is_left_while_a_phone_subscribes_is_told(phone: Phone, subscriber: Subscriber) -> None:
    phone.subscriptions.desk = Slow(phone)
    assert subscriber.subscribe(ACCEPT).code == 200
    assert b"Voice-Message: 2/8" in subscriber.notified().content
    assert b"Voice-Message: 3/8" in subscriber.notified().content


def test_a_subscriber_is_told_at_once(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    response = subscriber.subscribe(ACCEPT)
    assert (response.code, response.header("Expires")) == (200, "3600")
    assert response.header("Allow-Events") == "message-summary"
    assert response.contact is not None
    assert response.contact.uri.address == ("127.0.0.1", phone.sip.myPort)
    notify = subscriber.notified()
    assert notify.uri.raw == f"sip:peer@127.0.0.1:{subscriber.peer.port}"
    assert notify.header("Event") == "message-summary"
    assert notify.header("Content-Type") == "application/simple-message-summary"
    assert notify.content == BODY
    state, _, expires = (notify.header("Subscription-State") or "").partition(";expires=")
    assert (state, 3590 <= int(expires) <= 3600) == ("active", True)
    assert (notify.from_.tag, notify.to.tag) == (response.to.tag, subscriber.leg.tag)
    held(phone, 1)
    assert [row["mailbox_id"] for row in counter.kept.values()] == ["box"]


def test_options_and_answers_name_the_event(phone: Phone, peer: Peer) -> None:
    response = peer.ask("OPTIONS")
    assert response.header("Allow-Events") == "message-summary"
    assert "SUBSCRIBE" in (response.header("Allow") or "")


@pytest.mark.parametrize(
    ("headers", "seconds", "status", "said"),
    [
        (["Event: presence"], 3600, 489, ("Allow-Events", "message-summary")),
        (["Event: message-summary", "Accept: application/pidf+xml"], 3600, 406, None),
        (["Event: message-summary", f"{ACCEPT};q=0"], 3600, 406, None),
        (["Event: message-summary"], 30, 423, ("Min-Expires", "60")),
        (["Event: message-summary", "Expires: soon"], None, 400, None),
        (["Event: message-summary", "Require: magic"], 3600, 420, ("Unsupported", "magic")),
    ],
)
def test_what_is_refused(
    phone: Phone, subscriber: Subscriber, headers: list[str], seconds: int | None, status: int, said: tuple[str, str]
) -> None:
    response = subscriber.subscribe(*headers, seconds=seconds)
    assert response.code == status
    if said:
        assert response.header(said[0]) == said[1]
    assert len(phone.subscriptions) == 0


@pytest.mark.parametrize("accept", ["Accept: */*", "Accept: application/*;q=0.5", f"{ACCEPT}, text/plain", "X-None: 1"])
def test_who_takes_our_body_is_served(subscriber: Subscriber, counter: Desk, accept: str) -> None:
    assert subscriber.subscribe(accept).code == 200
    subscriber.notified()


def test_without_a_package_there_is_no_subscription(phone: Phone, peer: Peer) -> None:
    assert peer.ask("SUBSCRIBE").code == 489


def test_an_unknown_mailbox_is_404(phone: Phone, counter: Desk, peer: Peer) -> None:
    stranger = Subscriber(peer, uri=f"sip:1999@127.0.0.1:{phone.sip.myPort}")
    assert stranger.subscribe().code == 404
    assert len(phone.subscriptions) == 0


def test_a_desk_that_cannot_answer_is_503(phone: Phone, counter: Desk, peer: Peer) -> None:
    counter.answer = SipError(503, "no mailbox can be looked up", (("Retry-After", "30"),))
    response = Subscriber(peer).subscribe()
    assert (response.code, response.header("Retry-After")) == (503, "30")
    counter.full = True
    assert Subscriber(peer).subscribe().code == 503


def test_the_usual_time_is_an_hour_and_no_more_than_the_setting(start: Callable[..., Phone]) -> None:
    phone = start(SubscriptionRules(longest=600))
    phone.subscriptions.desk = Desk(phone)
    peer = Peer(("127.0.0.1", phone.sip.myPort))
    for seconds in (None, 4000000000, 601):
        subscriber = Subscriber(peer)
        assert subscriber.subscribe(seconds=seconds).header("Expires") == "600"
        subscriber.notified()
    peer.close()


def test_changed_counts_are_sent_with_a_rising_number(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    subscriber.subscribe("Event: message-summary;id=7")
    first = subscriber.notified()
    assert first.header("Event") == "message-summary;id=7"
    counter.answer = waiting(0, 9)
    change(phone)
    second = subscriber.notified()
    assert b"Messages-Waiting: no\r\n" in second.content
    assert b"Voice-Message: 0/9 (0/0)\r\n" in second.content
    assert (second.cseq[0], second.call_id) == (first.cseq[0] + 1, first.call_id)
    # The service call sends them in any case.
    change(phone)
    assert subscriber.notified().content == second.content


def test_one_notify_at_a_time_and_the_newest_counts_after_it(
    phone: Phone, counter: Desk, subscriber: Subscriber
) -> None:
    subscriber.subscribe()
    first = subscriber.notified(status=None)
    for number in range(3, 8):
        counter.answer = waiting(number)
        change(phone)
    assert subscriber.peer.is_answered()
    subscriber.answer(first)
    second = subscriber.notified()
    assert b"Voice-Message: 7/0" in second.content
    assert second.cseq[0] == first.cseq[0] + 1


def test_a_refresh_keeps_the_dialog_and_is_answered_with_counts(
    phone: Phone, counter: Desk, subscriber: Subscriber
) -> None:
    subscriber.subscribe()
    first = subscriber.notified()
    subscriber.leg.contact = f"<sip:moved@127.0.0.1:{subscriber.peer.port}>"
    assert subscriber.subscribe(seconds=120).header("Expires") == "120"
    second = subscriber.notified()
    assert second.uri.user == "moved"
    assert int((second.header("Subscription-State") or "").partition("=")[2]) <= 120
    assert second.cseq[0] > first.cseq[0]
    assert len(phone.subscriptions) == 1
    subscriber.leg.sequence -= 2
    assert subscriber.subscribe().code == 500


def test_the_phone_ends_it(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    subscriber.notified()
    assert subscriber.subscribe(seconds=0).header("Expires") == "0"
    last = subscriber.notified()
    assert last.header("Subscription-State") == "terminated;reason=timeout"
    assert last.content == BODY
    held(phone, 0)
    assert counter.kept == {}
    assert subscriber.subscribe().code == 481


def test_who_asks_for_no_time_is_told_once(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    assert subscriber.subscribe(seconds=0).code == 200
    assert subscriber.notified().header("Subscription-State") == "terminated;reason=timeout"
    assert (len(phone.subscriptions), counter.kept) == (0, {})


def test_it_expires(start: Callable[..., Phone]) -> None:
    phone = start(SubscriptionRules(longest=1))
    phone.subscriptions.desk = desk = Desk(phone)
    peer = Peer(("127.0.0.1", phone.sip.myPort))
    subscriber = Subscriber(peer)
    assert subscriber.subscribe().header("Expires") == "1"
    subscriber.notified()
    last = subscriber.notified(status="481 Gone")
    assert last.header("Subscription-State") == "terminated;reason=timeout"
    held(phone, 0)
    assert desk.kept == {}
    peer.close()


@pytest.mark.parametrize(
    "status", ["481 Gone", "489 Bad Event", "404 Not Found", "500 Fault", "603 Decline", "302 Away"]
)
def test_a_refused_notify_ends_it(phone: Phone, counter: Desk, subscriber: Subscriber, status: str) -> None:
    subscriber.subscribe()
    subscriber.notified(status)
    held(phone, 0)
    assert counter.kept == {}


def test_silence_ends_it(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    subscriber.notified(status=None)
    held(phone, 0)
    assert counter.kept == {}


def test_a_phone_that_cannot_now_is_asked_again(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    first = subscriber.notified("503 Service Unavailable", "Retry-After: 1")
    counter.answer = waiting(5)
    change(phone)
    second = subscriber.notified()
    assert second.cseq[0] == first.cseq[0] + 1
    assert b"Voice-Message: 5/0" in second.content
    assert len(phone.subscriptions) == 1


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
        ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
def test_a_challenge_to_notify_is_answered(
    phone: Phone, counter: Desk, subscriber: Subscriber, status: str, asks: str, answers: str
) -> None:
    subscriber.subscribe()
    first = subscriber.notified(
        status, f'{asks}: Digest realm="pbx.example", nonce="n1", algorithm=SHA-256, qop="auth"'
    )
    second = subscriber.notified()
    assert second.cseq[0] == first.cseq[0] + 1
    assert is_right(second, "vm", "s3cret", "n1", answers)
    assert second.content == first.content
    change(phone)
    third = subscriber.notified(status, f'{asks}: Digest realm="pbx.example", nonce="n2", stale=true')
    assert is_right(third, "vm", "s3cret", "n1", answers)
    fourth = subscriber.notified(status, f'{asks}: Digest realm="pbx.example", nonce="n3"')
    assert is_right(fourth, "vm", "s3cret", "n2", answers)
    held(phone, 0)


def pbx(host: str) -> PbxTarget:
    return PbxTarget.of(host, "{extension}", "vm", registered=False, refresh=900.0)


@pytest.mark.parametrize(
    ("options", "is_answered"),
    [
        ({"account": Account("192.0.2.1", "vm", "s3cret"), "registers": False}, False),
        ({"account": Account("127.0.0.1:5099", "vm", "s3cret"), "registers": False}, True),
        ({"pbx_target": pbx("192.0.2.1")}, False),
        ({"pbx_target": pbx("127.0.0.1")}, True),
        ({"account": Account("192.0.2.1", "vm", "s3cret"), "registers": False, "pbx_target": pbx("127.0.0.1")}, True),
    ],
)
def test_our_password_answers_no_challenge_but_that_of_its_pbx(
    start: Callable[..., Phone], options: dict[str, Any], is_answered: bool
) -> None:
    """A subscriber could fetch the challenge from the PBX, and speak there in our name."""
    phone = start(**options)
    phone.subscriptions.desk = desk = Desk(phone)
    peer = Peer(("127.0.0.1", phone.sip.myPort))
    subscriber = Subscriber(peer)
    subscriber.subscribe()
    subscriber.notified("401 Unauthorized", 'WWW-Authenticate: Digest realm="pbx.example", nonce="n1"')
    if is_answered:
        assert is_right(subscriber.notified(), "vm", "s3cret", "n1", "Authorization")
    else:
        held(phone, 0)
        assert desk.kept == {}
        # What was sent before this answer has arrived with it.
        assert peer.is_answered()
        assert [message.method for message in peer.heard].count("NOTIFY") == 1
    peer.close()


def test_record_route_is_followed(phone: Phone, counter: Desk, peer: Peer) -> None:
    proxy = Peer(peer.server)
    subscriber = Subscriber(peer, contact="<sip:phone@192.0.2.99:5060>")
    route = f"<sip:127.0.0.1:{proxy.port};lr>"
    response = subscriber.subscribe(f"Record-Route: {route}")
    assert response.header("Record-Route") == route
    notify = proxy.requested("NOTIFY")
    assert notify.uri.raw == "sip:phone@192.0.2.99:5060"
    assert notify.header("Route") == route
    subscriber.answer(notify)
    proxy.close()


def test_a_repeated_subscribe_is_one_subscription(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    subscriber.notified()
    subscriber.peer.send(subscriber.leg.last)
    assert subscriber.peer.final("SUBSCRIBE", subscriber.leg.call_id).code == 200
    assert len(phone.subscriptions) == 1


def test_there_is_a_limit_in_all_and_for_one_address(start: Callable[..., Phone]) -> None:
    for rules in (SubscriptionRules(limit=2), SubscriptionRules(limit_per_source=2)):
        phone = start(rules)
        phone.subscriptions.desk = Desk(phone)
        peer = Peer(("127.0.0.1", phone.sip.myPort))
        subscribers = [Subscriber(peer) for _ in range(3)]
        for subscriber in subscribers[:2]:
            assert subscriber.subscribe().code == 200
            subscriber.notified()
        response = subscribers[2].subscribe()
        assert (response.code, response.header("Retry-After")) == (503, "10")
        subscribers[0].subscribe(seconds=0)
        subscribers[0].notified()
        assert subscribers[2].subscribe().code == 200
        subscribers[2].notified()
        peer.close()


def test_a_mailbox_that_is_deleted_ends_its_subscriptions(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    subscriber.notified()
    counter.answer = None
    change(phone)
    assert subscriber.notified().header("Subscription-State") == "terminated;reason=noresource"
    held(phone, 0)


def is_deactivated(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    """The subscription has ended, and its phone has never heard the counts of the mailbox that is another one's."""
    while subscriber.notified().header("Subscription-State") != "terminated;reason=deactivated":
        continue
    assert not [heard for heard in subscriber.peer.heard if b"Voice-Message: 7/0" in heard.content]
    held(phone, 0)
    assert counter.kept == {}


def test_a_mailbox_that_gets_another_extension_takes_no_subscription_along(
    phone: Phone, counter: Desk, subscriber: Subscriber
) -> None:
    subscriber.subscribe()
    subscriber.notified()
    counter.answer = replace(waiting(7), extension="1005")
    change(phone)
    is_deactivated(phone, counter, subscriber)


def test_nor_is_a_phone_told_of_it_after_a_restart(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    restart_uncounted(phone, counter, subscriber)
    counter.answer, counter.mute = replace(waiting(7), extension="1005"), False
    change(phone)
    is_deactivated(phone, counter, subscriber)


@pytest.mark.parametrize("found", [replace(waiting(7), mailbox_id="another"), None])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_number_that_leads_elsewhere_is_noticed_by_the_refresh(
    phone: Phone, counter: Desk, subscriber: Subscriber, found: MessageCounts | None, restarted: bool
) -> None:
    if restarted:
        restart_uncounted(phone, counter, subscriber)
    else:
        subscriber.subscribe()
        subscriber.notified()
    # As an alias does that another mailbox gets: the counts of the first one are what they were.
    counter.answer, counter.mute = found, True
    assert subscriber.subscribe().code == 200
    is_deactivated(phone, counter, subscriber)


def test_and_by_the_repeat(start: Callable[..., Phone]) -> None:
    phone = start(SubscriptionRules(repeat=0.1))
    phone.subscriptions.desk = counter = Desk(phone)
    other = Peer(("127.0.0.1", phone.sip.myPort))
    subscriber = Subscriber(other)
    subscriber.subscribe()
    subscriber.notified()
    counter.answer, counter.mute = replace(waiting(7), mailbox_id="another"), True
    is_deactivated(phone, counter, subscriber)
    other.close()


def test_a_database_that_is_away_ends_no_subscription(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    subscriber.notified()
    counter.answer, counter.mute = SipError(503, "the database is away"), True
    assert subscriber.subscribe().code == 200
    subscriber.notified()
    assert subscriber.peer.is_answered()
    assert len(phone.subscriptions) == 1


def test_only_other_counts_are_sent_where_announcements_were_missed(
    phone: Phone, counter: Desk, subscriber: Subscriber
) -> None:
    subscriber.subscribe()
    first = subscriber.notified()
    change(phone, None)
    change(phone, "another box")
    assert subscriber.peer.is_answered()
    counter.answer = waiting(1)
    change(phone, None)
    second = subscriber.notified()
    assert (second.cseq[0], b"1/0" in second.content) == (first.cseq[0] + 1, True)


def test_a_subscription_outlives_its_process(
    phone: Phone, counter: Desk, subscriber: Subscriber, start: Callable[..., Phone]
) -> None:
    subscriber.subscribe("Event: message-summary;id=9")
    first = subscriber.notified()
    (row,) = counter.kept.values()
    port = phone.sip.myPort
    phone.stop()
    again = start(port=port)
    again.subscriptions.desk = Desk(again)
    # Until the rows are read, nobody is told that his subscription is unknown.
    early = subscriber.subscribe("Event: message-summary;id=9")
    assert (early.code, early.header("Retry-After")) == (503, "10")
    again.sip.post(lambda: again.subscriptions.restore([row, {"key": "broken"}, {"dialog": {}}]))
    notify = subscriber.notified()
    assert notify.content == BODY
    assert (notify.from_.tag, notify.to.tag) == (first.from_.tag, first.to.tag)
    assert notify.cseq[0] > first.cseq[0]
    assert notify.header("Event") == "message-summary;id=9"
    assert subscriber.subscribe("Event: message-summary;id=9").code == 200
    subscriber.notified()


def test_many_are_taken_over_a_few_at_a_time(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    """Calls and the packets of their audio are not to wait for thousands of them."""
    subscriber.subscribe()
    subscriber.notified()
    (row,) = counter.kept.values()
    counter.mute, phone.subscriptions.restored = True, False
    rows = [row | {"dialog": row["dialog"] | {"local_tag": f"tag-{number}"}} for number in range(50)]
    left: list[int] = []

    def restore() -> None:
        phone.subscriptions.restore(rows)
        left.append(51 - len(phone.subscriptions))

    phone.sip.post(restore)
    until(lambda: phone.subscriptions.restored, what="all taken over")
    assert left == [30]
    assert len(phone.subscriptions) == 51


def restart_uncounted(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    """A phone's subscription is taken over after a restart, and nobody answers how many messages there are."""
    subscriber.subscribe()
    subscriber.notified()
    (row,) = counter.kept.values()
    phone.sip.post(lambda: phone.subscriptions._forget(next(iter(phone.subscriptions._held.values()))))
    counter.mute, asked = True, counter.asked
    phone.sip.post(lambda: phone.subscriptions.restore([row]))
    until(lambda: counter.asked > asked, 5, "the question for counts")


def test_nobody_is_told_of_no_messages_before_they_are_counted(
    phone: Phone, counter: Desk, subscriber: Subscriber
) -> None:
    restart_uncounted(phone, counter, subscriber)
    assert subscriber.subscribe().code == 200
    assert subscriber.peer.is_answered()
    assert [heard.content for heard in subscriber.peer.heard if heard.method == "NOTIFY"] == [BODY]
    counter.mute = False
    change(phone)
    assert subscriber.notified().content == BODY


def test_who_leaves_before_messages_are_counted_is_told_of_none(
    phone: Phone, counter: Desk, subscriber: Subscriber
) -> None:
    restart_uncounted(phone, counter, subscriber)
    assert subscriber.subscribe(seconds=0).code == 200
    assert subscriber.notified().content == b""


def test_numbers_rise_over_a_restart_after_however_many_notifies(
    phone: Phone, counter: Desk, subscriber: Subscriber
) -> None:
    subscriber.subscribe()
    notify = subscriber.notified()
    for _ in range(520):
        change(phone)
        notify = subscriber.notified()
    (row,) = counter.kept.values()
    assert row["dialog"]["local_sequence"] > notify.cseq[0] + 400


def test_what_each_notify_came_to_is_told(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    counter.answer = waiting(2, 8, version=4)
    subscriber.subscribe()
    subscriber.notified()
    until(lambda: counter.lamps, 5, "what came of it")
    (told,) = counter.lamps
    assert (told.key, told.kind) == (next(iter(counter.kept)), "subscription")
    assert (told.answer, told.works, told.version, told.counts) == ("200 OK", True, 4, counter.answer)
    assert told.device == f"sip:peer@127.0.0.1:{subscriber.peer.port}"
    assert 3590 <= told.remaining <= 3600
    counter.answer = waiting(3, 8, version=5)
    change(phone)
    subscriber.notified("503 Busy", "Retry-After: 60")
    until(lambda: len(counter.lamps) == 2, 5, "what came of it")
    assert (counter.lamps[1].answer, counter.lamps[1].works, counter.lamps[1].version) == ("503 Busy", False, None)


def test_nothing_is_told_of_one_that_ended(phone: Phone, counter: Desk, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    subscriber.notified()
    until(lambda: counter.lamps, 5, "what came of it")
    subscriber.subscribe(seconds=0)
    subscriber.notified()
    assert subscriber.peer.is_answered()
    assert len(counter.lamps) == 1


def test_changes_are_told_once_a_second_and_a_refresh_at_once(start: Callable[..., Phone]) -> None:
    phone = start(SubscriptionRules())
    phone.subscriptions.desk = desk = Desk(phone)
    phone.subscriptions.restored = True
    peer = Peer(("127.0.0.1", phone.sip.myPort))
    subscriber = Subscriber(peer)
    subscriber.subscribe()
    subscriber.notified()
    desk.answer = waiting(3, version=3)
    change(phone)
    subscriber.told("3/0 (0/0)")
    before = len([heard for heard in peer.heard if heard.method == "NOTIFY"])
    for number in range(4, 30):
        desk.answer = waiting(number, version=number)
        change(phone)
        assert peer.is_answered()
    subscriber.told("29/0 (0/0)")
    # The two changes of a second in which the machine was slow, too.
    assert len([heard for heard in peer.heard if heard.method == "NOTIFY"]) - before <= 3
    desk.answer = waiting(30, version=30)
    subscriber.subscribe()
    subscriber.told("30/0 (0/0)")
    peer.close()


def test_counts_are_repeated_and_a_dead_phone_ends_that(start: Callable[..., Phone]) -> None:
    phone = start(SubscriptionRules(pace=0.0, repeat=0.2))
    phone.subscriptions.desk = Desk(phone)
    peer = Peer(("127.0.0.1", phone.sip.myPort))
    subscriber = Subscriber(peer)
    subscriber.subscribe()
    first = subscriber.notified()
    again = subscriber.notified()
    assert (again.content, again.cseq[0]) == (first.content, first.cseq[0] + 1)
    subscriber.notified("481 Gone")
    held(phone, 0)
    peer.close()
