"""Kamailio as a proxy in front of the voice worker, with the example of README.md."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.extension import Extension
from tests.peers.instance import HOST, Instance, VoiceWorker
from tests.peers.kamailio import Kamailio, needs_kamailio
from tests.peers.proxy import NATS, configuration
from tests.peers.sipp import needs_sipp, run
from tests.peers.speech import speech
from tests.sip.peer import Leg, Peer

pytestmark = [pytest.mark.peers, needs_kamailio]

SPEECH = speech(6.0)
UNTIL_RECORDING = 1.6
# The caller's Contact leads nowhere from here, as behind NAT; within the dialog it follows the route that it was told.
BEHIND_NAT = {
    "Contact: <sip:2000@[local_ip]:[local_port]>": "Contact: <sip:2000@10.1.2.3:5060>",
    "[last_To:]\n": "[last_To:]\n[routes]\n",
}
StartKamailio = Callable[[str], Kamailio]


@pytest.mark.parametrize(
    ("statuses", "reason"), [((180, 486), "user-busy"), ((180,), "no-answer"), ((100, 480), "no-answer")]
)
def test_the_example_says_whose_phone_was_not_answered_and_why(
    start_kamailio: StartKamailio, statuses: tuple[int, ...], reason: str
) -> None:
    with Extension(*statuses) as phone, Extension(503) as voicemail:
        kamailio = start_kamailio(configuration(phone.port, voicemail.port))
        peer = Peer((kamailio.host, kamailio.port))
        leg = Leg(peer, uri=f"sip:1001@{kamailio.host}:{kamailio.port}")
        leg.invite()
        refused = leg.final()
        assert refused.code in (500, 503)
        leg.ack(refused)
        peer.close()
        invite = voicemail.invites[0]
    assert invite.header_values("Diversion") == [f"<sip:1001@{HOST}>;reason={reason}"]
    assert invite.uri.raw == f"sip:1001@{HOST}:{voicemail.port}"
    assert invite.header_values("Record-Route") == [f"<sip:{HOST}:{kamailio.port};lr>"]


def test_a_caller_who_gives_up_while_the_phone_rings_reaches_no_voicemail(start_kamailio: StartKamailio) -> None:
    with Extension(180) as phone, Extension(503) as voicemail:
        kamailio = start_kamailio(configuration(phone.port, voicemail.port, ring_ms=60000))
        peer = Peer((kamailio.host, kamailio.port))
        leg = Leg(peer, uri=f"sip:1001@{kamailio.host}:{kamailio.port}")
        leg.invite()
        peer.receive(lambda message: message.code == 180, "180")
        leg.send("CANCEL", sequence=1, branch=leg.branch)
        assert leg.final().code == 487
        peer.close()
        assert voicemail.invites == []


@needs_sipp
def test_the_caller_holds_comes_back_and_hangs_up(
    worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path, start_kamailio: StartKamailio
) -> None:
    with Extension(486) as phone:
        kamailio = start_kamailio(configuration(phone.port, worker.port))
        done = run(
            "hold", kamailio, mailbox, tmp_path, payload=SPEECH, seconds=UNTIL_RECORDING + 0.4, replace=BEHIND_NAT
        )
    assert done.passed, f"{done.errors}\n{kamailio.text()[-3000:]}"
    message = instance.message(mailbox)
    assert (message.caller_number, message.call_id) == ("2000", done.call_id)
    line = worker.call_line(done.call_id)
    assert (line["ended_by"], line["why"]) == ("hangup", "caller hung up")


@needs_sipp
@pytest.mark.parametrize("nat", NATS)
def test_we_hang_up_along_the_way_the_call_came(
    worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path, start_kamailio: StartKamailio, nat: str
) -> None:
    with Extension(486) as phone:
        kamailio = start_kamailio(configuration(phone.port, worker.port, nat))
        seconds = UNTIL_RECORDING + 0.9
        done = run("silence_ends", kamailio, mailbox, tmp_path, payload=SPEECH, seconds=seconds, replace=BEHIND_NAT)
    assert done.passed, f"{done.errors}\n{kamailio.text()[-3000:]}"
    assert instance.message(mailbox).call_id == done.call_id
    line = worker.call_line(done.call_id)
    assert (line["ended_by"], line["why"]) == ("silence", "we hung up")


@needs_sipp
def test_a_cancel_comes_through(
    worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path, start_kamailio: StartKamailio
) -> None:
    # A look-up that takes its time: the call rings as long as the keeper stands still.
    (keeper,) = worker.keepers()
    with Extension(486) as phone:
        kamailio = start_kamailio(configuration(phone.port, worker.port, ring_ms=20000))
        os.kill(keeper, signal.SIGSTOP)
        try:
            done = run("cancel", kamailio, mailbox, tmp_path)
        finally:
            os.kill(keeper, signal.SIGCONT)
    assert done.passed, f"{done.errors}\n{kamailio.text()[-3000:]}"
    assert worker.call_line(done.call_id)["why"] == "cancelled"
    assert instance.messages(mailbox) == []
