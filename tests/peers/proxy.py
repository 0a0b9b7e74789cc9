"""Kamailio in front: the example of README.md in routes as its default configuration has them, without a registrar."""

from __future__ import annotations

import re

from app.config import PROJECT_ROOT
from tests.peers.instance import HOST

ADDRESS = "192.0.2.10:5060"
TIMES = "t_set_fr(20000, 5000);"
# Behind NAT: the caller's Contact becomes the address that it is seen from, or keeps that beside its own.
NATS = ("fix_nated_contact", "add_contact_alias")
ROUTES = """
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "nathelper.so"

modparam("tm", "failure_reply_mode", 3)
modparam("rr", "enable_full_lr", 0)
modparam("rr", "append_fromtag", 0)

request_route {
    force_rport();
    if (!mf_process_maxfwd_header("10")) {
        sl_send_reply("483", "Too Many Hops");
        exit;
    }
    if (is_method("OPTIONS") && uri == myself && $rU == $null) {
        sl_send_reply("200", "Keepalive");
        exit;
    }
    if (nat_uac_test("19")) {
        if (is_first_hop()) NAT();
    }
    if (is_method("CANCEL")) {
        if (t_check_trans()) t_relay();
        exit;
    }
    if (has_totag()) {
        if (loose_route()) {
            if ($du == "") handle_ruri_alias();
            t_relay();
            exit;
        }
        if (is_method("ACK")) {
            if (t_check_trans()) t_relay();
            exit;
        }
        sl_send_reply("404", "Not here");
        exit;
    }
    t_check_trans();
    if (!is_method("INVITE")) {
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }
    remove_hf("Route");
    record_route();
    $du = "sip:PHONE";
EXAMPLE_BEFORE
    if (!t_relay()) sl_reply_error();
    exit;
}

EXAMPLE_ROUTE
"""


def example() -> tuple[str, str]:
    """The two parts of README's example: what stands in front of t_relay(), and the failure route."""
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"### Kamailio\n.*?```\n(.*?)```", readme, re.S)
    assert found, "README.md has no example for Kamailio"
    before, route, body = found[1].partition("failure_route")
    return before, route + body


def configuration(extension: int, voicemail: int, nat: str = NATS[0], ring_ms: int = 1000) -> str:
    """Routes that send each call to the phone on the port `extension`, and as README says to `voicemail`.

    nat: one of NATS; ring_ms: how long the phone may ring.
    """
    before, route = example()
    assert TIMES in before
    assert ADDRESS in route
    text = ROUTES.replace("EXAMPLE_BEFORE", before.replace(TIMES, f"t_set_fr({ring_ms}, 5000);"))
    text = text.replace("EXAMPLE_ROUTE", route.replace(ADDRESS, f"{HOST}:{voicemail}"))
    return text.replace("PHONE", f"{HOST}:{extension}").replace("NAT()", f"{nat}()")
