"""Malformed datagrams beside calls: the calls keep their pace, and the log stays small. The part `flood`."""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path

from bench import beside, capacity
from bench.servers import HOST, Server
from bench.table import show
from bench.verdict import Line

CALLS = 100
RATE = 5000
SECONDS = 10.0
STEP_SECONDS = 0.01
SOURCES = 20
LOG_BYTES = 1_000_000
REQUEST = (
    "INVITE sip:1001@{host} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bK{number};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:scan@127.0.0.9>;tag={number}\r\nTo: <sip:1001@{host}>\r\nCall-ID: flood{number}\r\n"
    "CSeq: 1 INVITE\r\nContact: <sip:scan@127.0.0.9>\r\nContent-Length: 0\r\n\r\n"
)


def malformed(number: int) -> bytes:
    """A datagram that is no request that could be served: ten kinds in turn, made with a fixed seed."""
    chance = random.Random(number)
    text = REQUEST.format(host=HOST, number=number)
    kinds = (
        lambda: chance.randbytes(chance.randrange(1, 1200)),
        lambda: text.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", 1).encode(),
        lambda: text.encode()[: chance.randrange(20, len(text))],
        lambda: text.replace("CSeq: 1 INVITE", "CSeq: 99999999999 OPTIONS").encode(),
        lambda: text.replace("Content-Length: 0", "Content-Length: 5000").encode(),
        lambda: text.replace("sip:1001@", "file:///etc/", 1).encode(),
        lambda: text.replace("From: ", "From: <<<", 1).encode(),
        lambda: b"INVITE " + b"x" * 4000 + b" SIP/2.0\r\n\r\n",
        lambda: text.replace("INVITE", "BYE").replace(">\r\nCall-ID", ">;tag=unknown\r\nCall-ID").encode(),
        lambda: b"\r\n\r\n" + b"\0" * chance.randrange(1, 500),
    )
    return kinds[number % len(kinds)]()


class Flood(threading.Thread):
    """Sends RATE datagrams a second for SECONDS once it is started. sent: how many left.

    log_bytes: what the server's log had before.
    """

    def __init__(self, server: Server) -> None:
        super().__init__(name="flood", daemon=True)
        self.log, self.log_bytes = server.log, server.log.stat().st_size
        self._target = (HOST, server.port)
        self._datagrams = [malformed(number) for number in range(2000)]
        self.sent = 0

    def run(self) -> None:
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOURCES)]
        for number, sock in enumerate(sockets):
            sock.bind((f"127.0.1.{number + 1}", 0))
        began = time.monotonic()
        while (passed := time.monotonic() - began) < SECONDS:
            while self.sent < RATE * passed:
                sockets[self.sent % SOURCES].sendto(self._datagrams[self.sent % len(self._datagrams)], self._target)
                self.sent += 1
            time.sleep(STEP_SECONDS)
        for sock in sockets:
            sock.close()


def measure(folder: Path) -> list[Line]:
    """CALLS calls, with the flood in their midst."""
    figures, flood = beside.run(folder, CALLS, Flood)
    grown = flood.log.stat().st_size - flood.log_bytes
    show(
        f"{CALLS} calls beside {RATE} malformed datagrams a second for {SECONDS:.0f} s",
        ["", "sent", "answered", "in pace %", "longest ms", "lost in", "CPU ms/call s", "log kB", "peer late ms"],
        [
            ["ours", str(flood.sent), str(figures.answered), f"{figures.in_pace:.3f}", f"{figures.longest_ms:.0f}",
             str(figures.lost_by_us), f"{figures.cpu + figures.cpu_keeper:.2f}", f"{grown / 1000:.0f}",
             f"{figures.peer_behind_ms:.0f}"]
        ],
    )  # fmt: skip
    pace = beside.pace_of(figures, CALLS)
    return [
        Line(f"in pace beside {RATE} malformed datagrams a second", pace, capacity.IN_PACE, unit="%", more=True),
        Line("growth of the log meanwhile", grown / 1000, LOG_BYTES / 1000, unit="kB"),
    ]
