"""The session of a call: what offer and answer have agreed on, and the stream that does it (RFC 3264)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyVoIP.RTP import PayloadType

from voice.events import Event
from voice.media.g711 import Law
from voice.media.stream import MediaStream
from voice.sip.errors import SipError
from voice.sip.sdp import HELD, Agreed, SessionDescription, agree, write_answer, write_offer

if TYPE_CHECKING:
    from voice.sip.phone import Phone

log = logging.getLogger(__name__)
PORT_ATTEMPTS = 5
PAYLOAD_TYPES = {Law.PCMU: PayloadType.PCMU, Law.PCMA: PayloadType.PCMA}
# Stands for what the other side will say in its ACK, where the INVITE had no offer.
PROVISIONAL = Agreed(0, Law.PCMU, 0, None, HELD, 9, "RTP/AVP", "inactive")


class Session:
    """One audio stream and its description. Used in the SIP thread; on_event is called by the media loop.

    agreed: what is in force; held: we are not to send. signalling: the address that the INVITE came from; it says over
    which IP audio goes where no offer does. SipError 488 from the constructor where nothing can be agreed on.
    """

    stream: MediaStream

    def __init__(
        self,
        phone: Phone,
        offer: SessionDescription | None,
        call_id: str,
        on_event: Callable[[Event], None],
        signalling: str,
    ) -> None:
        self.agreed = agree(offer, versions=phone.media_versions) if offer else PROVISIONAL
        self.held = self.agreed.held
        self._phone, self._call_id, self._on_event = phone, call_id, on_event
        self._signalling = signalling
        # Nobody is named yet in an offer that begins on hold, or where there was none.
        peer = signalling if self.agreed.host == HELD else self.agreed.host
        self._bound, self._address = phone.media_addresses(peer)
        self._ip_versions = (6 if ":" in self._bound else 4,)
        self._description, self._version = b"", 0
        self._number = ""

    def open(self, port: int, number: str) -> int:
        """Take an RTP port, this one or another; which one it was. number: the session's, for o=. SipError 503."""
        self._number = number
        for _ in range(PORT_ATTEMPTS):
            try:
                self.stream = self._make_stream(port)
            except OSError as error:
                log.warning("RTP port %d cannot be used: %s", port, error.strerror)
                self._phone.ports.give_back(port)
                port = self._phone.request_port()
            except BaseException:
                self._phone.ports.give_back(port)
                raise
            else:
                return port
        self._phone.ports.give_back(port)
        raise SipError(503, "no RTP port can be used", (("Retry-After", "5"),))

    def judge(self, offer: SessionDescription | None) -> Agreed | None:
        """What a later offer or answer would come to; None without one. SipError 488; nothing changes yet."""
        return agree(offer, self._settled_law(), self._ip_versions) if offer else None

    def describe(self, offer: SessionDescription | None, agreed: Agreed | None) -> bytes:
        """Our answer to an offer, or our own offer; the version grows when it says something new (RFC 3264, 8)."""
        text = self._write(offer, agreed)
        if text != self._description:
            self._version += 1
            text = self._description = self._write(offer, agreed)
        return text

    def follow(self, agreed: Agreed) -> bool:
        """Do as a description says: hold, resume, address, payload types. True where hold began or ended."""
        # Before the first description nobody is on hold.
        before = self.held and self.agreed is not PROVISIONAL
        if self.agreed is PROVISIONAL:
            self._settle(agreed)
        self.agreed = agreed
        self.stream.renumber(agreed.payload_type, agreed.event_payload_type)
        if agreed.host != HELD:
            self.stream.retarget(agreed.host, agreed.port, agreed.rtcp, agreed.mux)
        self.stream.ptime = agreed.ptime
        self.stream.sending = not agreed.held
        self.held = agreed.held
        return agreed.held != before

    def _write(self, offer: SessionDescription | None, agreed: Agreed | None) -> bytes:
        port = self.stream.inPort
        if offer and agreed:
            return write_answer(offer, agreed, self._address, port, self._number, self._version)
        return write_offer(self._address, port, self._number, self._version, self._settled_law())

    def _settled_law(self) -> Law | None:
        """The law that a running recording is in, once one was agreed."""
        return None if self.agreed is PROVISIONAL else self.stream.law

    def _settle(self, agreed: Agreed) -> None:
        """The law is known only now: the stream that stood for it gives its port to the real one. OSError."""
        port, stand_in = self.stream.inPort, self.stream
        stand_in.on_closed = None
        stand_in.stop()
        self.agreed, self.held = agreed, agreed.held
        try:
            self.stream = self._make_stream(port)
        except BaseException:
            # Somebody else was quicker, or there are no sockets left.
            self._phone.ports.give_back(port)
            raise

    def _make_stream(self, port: int) -> MediaStream:
        """A stream whose port is taken; OSError where something else has it."""
        agreed = self.agreed
        assoc = {agreed.payload_type: PAYLOAD_TYPES[agreed.law]}
        if agreed.event_payload_type is not None:
            assoc[agreed.event_payload_type] = PayloadType.EVENT
        stream = MediaStream(
            assoc,
            self._bound,
            port,
            agreed.host,
            agreed.port,
            self._phone.recvmode,
            loop=self._phone.loop,
            on_event=self._on_event,
            on_closed=lambda: self._phone.ports.give_back(port),
            call_id=self._call_id,
            media_timeout=self._phone.media_timeout,
            control=agreed.rtcp,
            mux=agreed.mux,
            signalling=self._signalling,
        )
        stream.open()
        stream.ptime = agreed.ptime
        stream.sending = not agreed.held
        return stream
