"""A phone made with pyVoIP alone, as its documentation shows it: every call is answered, and hangs up when it is over.

Usage: plain_phone.py PORT SERVER_PORT RTP_LOW RTP_HIGH. A line on standard input asks for something, a line of JSON on
standard output is the answer; the end of the input ends it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

from pyVoIP.VoIP import CallState, InvalidStateError, VoIPCall, VoIPPhone  # noqa: E402

HOST = "127.0.0.1"
USED_PORTS = 5000


def on_call(call: VoIPCall) -> None:
    """The answering machine of pyVoIP's documentation, without its sounds."""
    try:
        call.answer()
        while call.state == CallState.ANSWERED:
            time.sleep(0.05)
    except InvalidStateError:
        pass


def state(phone: VoIPPhone) -> dict[str, Any]:
    """What a test looks at. threads: names; inside: of each thread the functions that it is in; memory: bytes."""
    frames = sys._current_frames()
    inside = {
        thread.name: [frame.name for frame in traceback.extract_stack(frames[thread.ident])]
        for thread in threading.enumerate()
        if thread.ident in frames
    }
    return {
        "status": phone.get_status().name,
        "threads": [thread.name for thread in threading.enumerate()],
        "inside": inside,
        "memory": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "processor_seconds": time.process_time(),
        "calls": {key: call.state.name for key, call in phone.calls.items()},
        "ports": [client.inPort for call in phone.calls.values() for client in call.RTPClients],
        "socket_closed": phone.sip.s.fileno() < 0,
    }


def fill_sessions(phone: VoIPPhone) -> None:
    """As after a hundred thousand calls."""
    phone.session_ids = list(range(1, 100001))


def price_of_a_port(phone: VoIPPhone) -> dict[str, float]:
    """Processor seconds of request_port() at first, and when USED_PORTS were used."""

    def price() -> float:
        begun = time.thread_time()
        phone.request_port()
        return time.thread_time() - begun

    fresh = min(price() for _ in range(5))
    phone.assignedPorts += range(phone.rtpPortLow, phone.rtpPortLow + USED_PORTS)
    return {"fresh": fresh, "used": min(price() for _ in range(2))}


def main() -> None:
    port, server_port, rtp_low, rtp_high = map(int, sys.argv[1:])
    phone = VoIPPhone(
        HOST,
        server_port,
        "plain",
        "secret",
        myIP=HOST,
        callCallback=on_call,
        sipPort=port,
        rtpPortLow=rtp_low,
        rtpPortHigh=rtp_high,
    )
    threading.Thread(target=phone.start, name="start", daemon=True).start()
    commands = {"state": state, "fill sessions": fill_sessions, "price of a port": price_of_a_port}
    for line in sys.stdin:
        print(json.dumps(commands[line.strip()](phone)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
