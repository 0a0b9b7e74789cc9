"""The voice worker registers with registrars that challenge: Kamailio, and sipp."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.instance import HOST, VoiceWorker
from tests.peers.kamailio import Kamailio, needs_kamailio
from tests.peers.sipp import SCENARIOS, SECONDS, needs_sipp
from tests.support import free_port, until
from voice.caller import Caller, CallFailed

pytestmark = pytest.mark.peers

REGISTRAR = """
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "xlog.so"
modparam("auth", "nonce_expire", 1)
modparam("auth", "qop", "auth")
modparam("registrar", "default_expires", 60)
modparam("registrar", "max_expires", 4)
request_route {
    if (method == "OPTIONS") { sl_send_reply("200", "OK"); exit; }
    if (method == "REGISTER") {
        if (!pv_auth_check("kamailio", "s3cret", "0", "0")) { auth_challenge("kamailio", "1"); exit; }
        if (save("location")) { xlog("L_NOTICE", "saved\n"); }
        exit;
    }
    $ru = "sip:vm@127.0.0.1:PORT";
    if (!lookup("location")) { sl_send_reply("480", "Not registered"); exit; }
    t_relay();
}
"""


def account(place: str) -> dict[str, str]:
    return {
        "VOICEMAIL__SIP__REGISTRAR": place,
        "VOICEMAIL__SIP__USERNAME": "vm",
        "VOICEMAIL__SIP__PASSWORD": "s3cret",
    }


def registered(worker: VoiceWorker) -> None:
    until(lambda: " registered for " in worker.text(), 30, f"the registration\n{worker.text()[-3000:]}")


@needs_kamailio
def test_calls_come_through_a_kamailio_that_we_registered_with(
    start_worker: Callable[..., VoiceWorker], start_kamailio: Callable[[str], Kamailio]
) -> None:
    kamailio = start_kamailio(REGISTRAR)
    worker = start_worker(**account(f"sip:{kamailio.host}:{kamailio.port};transport=udp"))
    registered(worker)
    extension = worker.instance.mailbox("7001")
    with Caller(kamailio.host, kamailio.port) as caller:
        caller.dial(extension)
        caller.hang_up()
    assert worker.call_line(caller.call_id)["mailbox"] == extension
    # A registration lasts 4 s and a nonce 1 s, so a refresh finds its nonce stale.
    until(lambda: kamailio.text().count("saved") >= 2, 20, "a refresh")
    assert worker.stop() == 0
    with Caller(kamailio.host, kamailio.port) as caller, pytest.raises(CallFailed) as refused:
        caller.dial(extension)
    assert refused.value.status == 480


@needs_sipp
def test_sipp_finds_our_digest_right_and_is_left_at_the_stop(
    start_worker: Callable[..., VoiceWorker], tmp_path: Path
) -> None:
    port = free_port()
    command = ["sipp", "-sf", str(SCENARIOS / "registrar.xml"), "-i", HOST, "-p", str(port), "-m", "1", "-nostdin"]
    command += ["-timeout", f"{SECONDS}s", "-timeout_error"]
    sipp = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        worker = start_worker(**account(f"{HOST}:{port}"))
        registered(worker)
        assert worker.stop() == 0
        said = sipp.communicate(timeout=SECONDS)[1]
    finally:
        sipp.kill()
        sipp.wait()
    assert sipp.returncode == 0, said
