"""A SIP peer that is one UDP socket: it sends what a test says and waits for what the test asks for."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable

from tests.sip.messages import described
from voice.sip import SipError, SipMessage
from voice.sip.uri import bracketed

WAIT_SECONDS = 15.0
_numbers = itertools.count(1)


def audio(*lines: str, port: int = 4000, formats: str = "0 101", address: str = "127.0.0.1") -> bytes:
    """An offer or answer of G.711 and telephone-event; `lines` follow the audio line."""
    kind = "IP6" if ":" in address else "IP4"
    head = ("v=0", "o=peer 1 1 IN IP4 127.0.0.1", "s=-", f"c=IN {kind} {address}", "t=0 0")
    return described(*head, f"m=audio {port} RTP/AVP {formats}", "a=rtpmap:101 telephone-event/8000", *lines)


class Peer:
    """A socket of its own on the server's host, which is this one. `heard` keeps all that came, in order."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.heard: list[SipMessage] = []
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((server[0], 0))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, self.server)

    def receive(self, wanted: Callable[[SipMessage], bool], what: str) -> SipMessage:
        """The next message that is wanted; others are kept in `heard` only."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data, source = self._socket.recvfrom(65535)
            except TimeoutError:
                break
            message = _lenient(data, source)
            self.heard.append(message)
            if wanted(message):
                return message
        raise AssertionError(f"no {what}; heard {[str(message.heading) for message in self.heard]}")

    def final(self, method: str, call_id: str) -> SipMessage:
        """The next final response to a request of this method and Call-ID."""
        return self.receive(
            lambda message: message.code >= 200 and message.cseq[1] == method and message.call_id == call_id,
            f"answer to {method}",
        )

    def receive_status(self) -> int:
        """The status of the next final response, whatever it answers."""
        return self.receive(lambda message: message.code >= 200, "answer").code

    def requested(self, method: str) -> SipMessage:
        """The next request of this method that the other side sends."""
        return self.receive(lambda message: message.method == method, f"{method} from the phone")

    def ask(self, method: str, *headers: str, body: bytes = b"", kind: str = "application/sdp") -> SipMessage:
        """Send a request outside of any dialog; its final response."""
        leg = Leg(self)
        leg.send(method, *headers, body=body, kind=kind)
        return self.final(method, leg.call_id)

    def is_answered(self) -> bool:
        """Whether the phone still answers an OPTIONS."""
        return self.ask("OPTIONS").code == 200


def _lenient(data: bytes, source: tuple[str, int]) -> SipMessage:
    """A message; of an answer to what nobody can parse, which echoes it, the status line at least."""
    try:
        return SipMessage(data, source)
    except SipError:
        usual = b"Via: SIP/2.0/UDP h\r\nFrom: <sip:a@h>\r\nTo: <sip:b@h>\r\nCall-ID: a\r\nCSeq: 1 X\r\n\r\n"
        return SipMessage(data.split(b"\r\n")[0] + b"\r\n" + usual, source)


class Leg:
    """The peer's side of a call: Call-ID, tags, sequence numbers, and the requests of a dialog."""

    def __init__(self, peer: Peer, uri: str = "", contact: str = "") -> None:
        number = next(_numbers)
        self.peer = peer
        self.host = bracketed(peer.server[0])
        self.uri = uri or f"sip:1001@{self.host}:{peer.server[1]}"
        self.contact = contact or f"<sip:peer@{self.host}:{peer.port}>"
        self.call_id = f"leg-{number}-{peer.port}"
        self.tag, self.remote_tag = f"tag-{number}", ""
        self.sequence = 0
        self.branch = ""
        self.last = b""

    def send(
        self,
        method: str,
        *headers: str,
        body: bytes = b"",
        kind: str = "application/sdp",
        sequence: int | None = None,
        branch: str = "",
        via: str = "",
    ) -> None:
        """Send a request with the next sequence number and a new branch, unless they are given."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        self.branch = branch or f"z9hG4bK-{next(_numbers)}-{self.peer.port}"
        to_tag = f";tag={self.remote_tag}" if self.remote_tag else ""
        lines = [
            f"{method} {self.uri} SIP/2.0",
            via or f"Via: SIP/2.0/UDP {self.host}:{self.peer.port};branch={self.branch};rport",
            "Max-Forwards: 70",
            f'From: "Peer" <sip:2000@127.0.0.1>;tag={self.tag}',
            f"To: <{self.uri}>{to_tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {sequence} {method}",
            f"Contact: {self.contact}",
            *headers,
            *([f"Content-Type: {kind}"] if body else []),
            f"Content-Length: {len(body)}",
            "",
            "",
        ]
        self.last = "\r\n".join(lines).encode("utf-8", "surrogateescape") + body
        self.peer.send(self.last)

    def invite(self, *headers: str, body: bytes = b"", branch: str = "") -> None:
        """Send an INVITE, with an offer unless another body is given."""
        self.send("INVITE", *headers, body=body or audio(), branch=branch)

    def final(self, method: str = "INVITE") -> SipMessage:
        """The final response; its To tag is kept."""
        response = self.peer.final(method, self.call_id)
        if method == "INVITE":
            self.remote_tag = response.to.tag
        return response

    def ack(self, response: SipMessage, body: bytes = b"") -> None:
        """The ACK: with a branch of its own after a 2xx, with the INVITE's after a refusal."""
        branch = "" if response.code < 300 else self.branch
        self.send("ACK", body=body, sequence=response.cseq[0], branch=branch)

    def establish(self, *headers: str, body: bytes = b"") -> SipMessage:
        """INVITE, 200, ACK; the 200."""
        self.invite(*headers, body=body)
        response = self.final()
        assert response.code == 200, response.heading
        self.ack(response)
        return response

    def ask(self, method: str, *headers: str, body: bytes = b"", kind: str = "application/sdp") -> SipMessage:
        """A request in the dialog; its final response, with an ACK where it was an INVITE."""
        self.send(method, *headers, body=body, kind=kind)
        response = self.peer.final(method, self.call_id)
        if method == "INVITE":
            self.ack(response)
        return response

    def respond(self, request: SipMessage, status: str = "200 OK", *headers: str) -> None:
        """Answer a request of the phone."""
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        lines = [f"{name}: {value}" for name in names for value in request.raw_values(name)]
        self.peer.send("\r\n".join([f"SIP/2.0 {status}", *lines, *headers, "Content-Length: 0", "", ""]).encode())
