"""Message waiting with real processes: a phone's lamp, a killed voice worker, a PBX that is told unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.database import writing
from app.extensions import db
from app.models import Message, Subscription
from app.models.base import utc_now
from app.services import inbox, mailboxes
from tests.peers.baresip import Baresip, needs_baresip
from tests.peers.instance import HOST, Instance, VoiceWorker
from tests.peers.kamailio import Kamailio, needs_kamailio
from tests.sip.peer import Peer
from tests.sip.subscriber import ACCEPT, Subscriber
from tests.support import until

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


def _kept(instance: Instance) -> int:
    with instance.app.app_context():
        return db.session.query(Subscription).count()
