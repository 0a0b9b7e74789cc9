"""Message waiting with real processes: a phone's lamp, a killed voice worker, a PBX that is told unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.database import writing
from app.extensions import db
from app.models import Message, Subscription
from app.models.base import utc_now
from app.services import inbox, lamps, mailboxes
from tests.peers.baresip import Baresip, needs_baresip
from tests.peers.instance import HOST, Instance, VoiceWorker
from tests.peers.kamailio import Kamailio, needs_kamailio
from tests.peers.linphone import Linphone, needs_linphone
from tests.sip.peer import Leg, Peer
from tests.sip.registrar import Registrar, answer_to
from tests.sip.subscriber import ACCEPT, Subscriber
from tests.support import until
from voice.sip import SipMessage

pytestmark = pytest.mark.peers

# A registrar that lets SUBSCRIBE through to the voice worker, and our NOTIFY back to the phone. baresip 1.0.0 registers
# for ever where it is answered within a millisecond.
PROXY = """
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "cfgutils.so"
request_route {
    if (method == "OPTIONS") { sl_send_reply("200", "OK"); exit; }
    if (method == "REGISTER") { usleep("50000"); save("location"); exit; }
    if (loose_route()) { t_relay(); exit; }
    record_route();
    $du = "sip:127.0.0.1:VOICEMAIL";
    t_relay();
}
"""


def leave(instance: Instance, extension: str, urgent: bool = False) -> str:
    """A new message in the database; the mailbox's id."""
    with instance.app.app_context(), writing():
        box = mailboxes.get(extension)
        db.session.add(
            Message(mailbox_id=box.id, urgent=urgent, received_at=utc_now(), duration=1.0, size=1, sha256="0" * 64)
        )
        db.session.flush()
        inbox.touch(box.id)
        return box.id


def test_a_change_is_told_and_a_killed_worker_goes_on_in_the_same_dialog(
    start_worker: Callable[..., VoiceWorker], valkey: str
) -> None:
    worker = start_worker(REDIS_URL=valkey)
    instance = worker.instance
    extension = instance.mailbox("7001")
    peer = Peer((HOST, worker.port))
    phone = Subscriber(peer, uri=f"sip:{extension}@{HOST}:{worker.port}")
    assert phone.subscribe(ACCEPT).code == 200
    assert b"Voice-Message: 0/0 (0/0)" in phone.notified().content
    leave(instance, extension, urgent=True)
    second = phone.told("1/0 (1/0)")
    assert b"Messages-Waiting: yes\r\n" in second.content
    until(lambda: _kept(instance) == 1, 15, "the row of the subscription")
    worker.kill()
    leave(instance, extension)
    again = start_worker(instance)
    third = phone.told("2/0 (1/0)")
    assert (third.call_id, third.from_.tag) == (second.call_id, second.from_.tag)
    assert third.cseq[0] > second.cseq[0]
    assert phone.subscribe(seconds=0).code == 200
    assert phone.notified().header("Subscription-State") == "terminated;reason=timeout"
    assert again.stop() == 0
    assert _kept(instance) == 0
    peer.close()


@needs_baresip
@needs_kamailio
def test_the_lamp_of_a_phone_behind_a_proxy(
    start_worker: Callable[..., VoiceWorker],
    start_kamailio: Callable[[str], Kamailio],
    valkey: str,
    tmp_path: Path,
) -> None:
    worker = start_worker(REDIS_URL=valkey)
    instance = worker.instance
    extension = instance.mailbox("7001")
    leave(instance, extension)
    proxy = start_kamailio(PROXY.replace("VOICEMAIL", str(worker.port)))
    account = f"<sip:{extension}@{HOST}:{proxy.port}>;regint=60;mwi=yes;audio_codecs=PCMU/8000/1\n"
    with Baresip(tmp_path / "phone", bytes(16000), account=account, modules="module_app mwi.so\n") as phone:
        until(lambda: "Voice-Message: 1/0 (0/0)" in phone.text(), 30, f"the lamp\n{proxy.text()[-2000:]}")
        leave(instance, extension)
        until(lambda: "Voice-Message: 2/0 (0/0)" in phone.text(), 30, "the newer counts")


# The same, and who registered here is found for a NOTIFY of the voice worker, which must know a password.
PBX = """
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "cfgutils.so"
request_route {
    if (method == "OPTIONS") { sl_send_reply("200", "OK"); exit; }
    if (method == "REGISTER") { usleep("50000"); save("location"); exit; }
    if (method != "NOTIFY") { sl_send_reply("403", "Forbidden"); exit; }
    if (!pv_proxy_authenticate("pbx", "s3cret", "0")) { proxy_challenge("pbx", "0"); exit; }
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
    t_relay();
}
"""


class RegisteredPhone(Peer):
    """Registers at a Kamailio and answers what comes."""

    def __init__(self, pbx: Kamailio, user: str, port: int = 0) -> None:
        """port: where NOTIFYs are to go instead."""
        super().__init__((HOST, pbx.port))
        leg = Leg(self, uri=f"sip:{user}@{HOST}:{pbx.port}", contact=f"<sip:{user}@{HOST}:{port or self.port}>")
        leg.send("REGISTER", "Expires: 600")
        assert self.final("REGISTER", leg.call_id).code == 200

    def told(self, counts: str) -> SipMessage:
        """The NOTIFY with these counts; all are answered."""
        wanted = b"Voice-Message: %s\r\n" % counts.encode()
        while True:
            notify = self.requested("NOTIFY")
            self.send(answer_to(notify, "200 OK"))
            if wanted in notify.content:
                return notify


@needs_kamailio
def test_a_pbx_that_asks_for_a_password_passes_counts_on_to_its_phones(
    start_worker: Callable[..., VoiceWorker], start_kamailio: Callable[[str], Kamailio], valkey: str
) -> None:
    pbx = start_kamailio(PBX)
    worker = start_worker(
        REDIS_URL=valkey,
        VOICEMAIL__SIP__MWI_TARGET=f"{HOST}:{pbx.port}",
        VOICEMAIL__SIP__USERNAME="pbx",
        VOICEMAIL__SIP__PASSWORD="s3cret",
    )
    instance = worker.instance
    # Before there is anything to tell of: a phone that its PBX does not know is told again hours later.
    phone = RegisteredPhone(pbx, "7001")
    extension = instance.mailbox("7001")
    notify = phone.told("0/0 (0/0)")
    assert notify.header("Subscription-State") == "active"
    until(lambda: _answers(instance, extension) == ["200 OK"], 15, "the answer that is written down")
    leave(instance, extension, urgent=True)
    phone.told("1/0 (1/0)")
    worker.kill()
    # Nobody is there to hear of this one.
    leave(instance, extension)
    again = start_worker(instance)
    phone.told("2/0 (1/0)")
    until(lambda: not _dirty(instance, extension), 15, "the flag that goes")
    other = instance.mailbox("7002")
    until(lambda: _answers(instance, other) == ["404 Not Found"], 15, "the answer of a phone that is not registered")
    assert again.stop() == 0
    phone.close()


@needs_linphone
@needs_kamailio
def test_a_softphone_takes_what_its_pbx_passes_on(
    start_worker: Callable[..., VoiceWorker], start_kamailio: Callable[[str], Kamailio], valkey: str, tmp_path: Path
) -> None:
    pbx = start_kamailio(PBX)
    place = f"{HOST}:{pbx.port}"
    with Linphone(tmp_path / "phone", bytes(16000)) as phone:
        RegisteredPhone(pbx, "7001", phone.port).close()
        worker = start_worker(
            REDIS_URL=valkey,
            VOICEMAIL__SIP__MWI_TARGET=place,
            VOICEMAIL__SIP__USERNAME="pbx",
            VOICEMAIL__SIP__PASSWORD="s3cret",
        )
        extension = worker.instance.mailbox("7001")
        until(lambda: _answers(worker.instance, extension) == ["200 Ok"], 30, "the answer of linphonec")


def told_pbx(pbx: Registrar, counts: bytes) -> None:
    """Answer what comes until it is these counts."""
    content = b""
    while counts not in content:
        heard = pbx.requested("NOTIFY")
        pbx.server, content = heard.source, heard.content
        pbx.answer(heard, "200 OK")


def test_without_redis_a_change_is_told_all_the_same(start_worker: Callable[..., VoiceWorker]) -> None:
    pbx = Registrar()
    worker = start_worker(VOICEMAIL__SIP__MWI_TARGET=pbx.address)
    instance = worker.instance
    extension = instance.mailbox("7001")
    told_pbx(pbx, b"0/0")
    peer = Peer((HOST, worker.port))
    phone = Subscriber(peer, uri=f"sip:{extension}@{HOST}:{worker.port}")
    assert phone.subscribe(ACCEPT).code == 200
    assert b"Voice-Message: 0/0 (0/0)" in phone.notified().content
    until(lambda: _answers(instance, extension) == ["200 OK", "200 OK"], 15, "the rows of phone and PBX")
    leave(instance, extension)
    phone.told("1/0 (0/0)")
    told_pbx(pbx, b"1/0")
    until(lambda: not _dirty(instance, extension), 15, "the flag that goes")
    with instance.app.app_context():
        assert not lamps.resync(extension, actor="test")
    phone.told("1/0 (0/0)")
    peer.close()
    pbx.close()


def _answers(instance: Instance, extension: str) -> list[str]:
    with instance.app.app_context():
        return [lamp.answer for lamp in lamps.of_mailbox(mailboxes.get(extension).id)]


def _dirty(instance: Instance, extension: str) -> bool:
    with instance.app.app_context():
        return mailboxes.get(extension).mwi_dirty


def _kept(instance: Instance) -> int:
    with instance.app.app_context():
        return db.session.query(Subscription).count()
