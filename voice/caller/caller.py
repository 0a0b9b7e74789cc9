"""One outgoing call from dialling to the end, in the thread of whoever uses it."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from types import TracebackType

from voice.caller.audio import Audio
from voice.caller.errors import CallFailed
from voice.caller.requests import Requests
from voice.caller.signalling import Signalling
from voice.caller.tones import ToneFinder
from voice.media import FRAME_SECONDS
from voice.media.g711 import Law
from voice.sip.address import version_of
from voice.sip.errors import SipError
from voice.sip.message import SipMessage
from voice.sip.response import Headers
from voice.sip.sdp import agree, write_offer
from voice.sip.uri import bracketed

SILENT_SECONDS = 4.0
ANSWER_SECONDS = 20.0
GOODBYE_SECONDS = 2.0
SENTENCES = {
    404: "There is no mailbox {extension} for the voice worker.",
    480: "The voice worker is stopping.",
    488: "The voice worker does not take G.711 audio.",
    503: "The voice worker takes no calls at the moment: it starts or stops, is full, or misses its database or disk.",
}


class Caller:
    """Dials, listens, speaks, presses keys, hangs up. Audio flows only while one of its methods waits.

    host, port: the SIP socket to call. number, name: who calls. Every method that waits raises CallFailed where
    the call breaks off. frames: payloads heard; sent: audio sent.
    """

    def __init__(self, host: str, port: int, number: str = "test", name: str = "Voicemail Pro test call") -> None:
        """Take the two ports; CallFailed where the host cannot be reached."""
        self._place = f"{bracketed(host)} port {port}"
        self._extension = ""
        self._heard = 0
        self.number, self.name = number, name
        try:
            self.signalling = Signalling((host, port))
        except OSError as error:
            raise CallFailed(f"{self._place} cannot be reached: {error.strerror or error}.") from error
        try:
            self.audio = Audio(self.signalling.local[0])
        except OSError as error:
            self.signalling.close()
            raise CallFailed(f"No port is free for the call's audio: {error.strerror or error}.") from error

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def frames(self) -> list[bytes]:
        return self.audio.frames

    @property
    def sent(self) -> bytes:
        return bytes(self.audio.sent)

    @property
    def call_id(self) -> str:
        return self.signalling.call_id

    @property
    def ended(self) -> bool:
        """The call is over, whoever ended it."""
        return self.signalling.ended

    def invite(self, extension: str, law: Law | None = None, headers: Headers = (), uri: str = "") -> None:
        """Send the INVITE and wait for nothing. law: the only one offered; uri: another Request-URI."""
        host, port = self.signalling.remote
        self._extension = extension
        requests = Requests(
            self.signalling.remote,
            self.signalling.local,
            uri or f"sip:{extension}@{bracketed(host)}:{port}",
            self.number,
            self.name,
        )
        offer = write_offer(self.signalling.local[0], self.audio.port, str(time.time_ns()), 1, law)
        self.signalling.invite(requests, offer, headers)

    def dial(self, extension: str, law: Law | None = None, headers: Headers = (), uri: str = "") -> SipMessage:
        """Call a mailbox and wait for the answer, which is returned. CallFailed: its status says who refused."""
        self.invite(extension, law, headers, uri)
        if not self.wait(lambda: self.signalling.ringing or self.signalling.final is not None, SILENT_SECONDS):
            raise CallFailed(f"Nobody answers on {self._place}. Does the voice worker run?")
        if not self.wait(lambda: self.signalling.final is not None, ANSWER_SECONDS):
            raise CallFailed(f"It rang on {self._place} for {ANSWER_SECONDS:.0f} seconds and nobody took the call.")
        final = self.signalling.final
        if final is None or final.code >= 300:
            raise self._refused(final)
        self._start_audio(final)
        return final

    def cancel(self) -> SipMessage:
        """Give up before the answer; the INVITE's final response."""
        self.signalling.cancel()
        if not self.wait(lambda: self.signalling.final is not None, SILENT_SECONDS) or not self.signalling.final:
            raise CallFailed(f"Nobody answers the CANCEL on {self._place}.")
        return self.signalling.final

    def listen(self, seconds: float) -> bool:
        """Keep the call going for so long; False where the other side ended it sooner."""
        return not self.wait(lambda: self.ended, seconds)

    def wait_tone(self, hertz: float, timeout: float, to_its_end: bool = False) -> None:
        """Listen until a tone was heard, looking at what no earlier wait_tone() has looked at; CallFailed."""
        finder = ToneFinder(self.audio.law, hertz, to_its_end)

        def found() -> bool:
            while self._heard < len(self.frames):
                self._heard += 1
                if finder.frame(self.frames[self._heard - 1]):
                    return True
            return False

        if not self.wait(lambda: found() or self.ended, timeout):
            raise CallFailed(f"The tone of {hertz:.0f} Hz was not heard within {timeout:.0f} seconds.")
        if self.ended and not found():
            raise CallFailed(f"The other side hung up before the tone of {hertz:.0f} Hz.")

    def speak(self, payload: bytes) -> None:
        """Say a G.711 payload of the agreed law, to its end; CallFailed where the other side hangs up meanwhile."""
        self.audio.speak(payload)
        self._until_said(len(payload) / 8000)

    def press(self, keys: str) -> None:
        """Press keys, one after another (RFC 4733); CallFailed where the other side takes none."""
        if not self.audio.takes_keys:
            raise CallFailed("The other side takes no keys (telephone-event).")
        for key in keys:
            self.audio.press(key)
        self._until_said(len(keys) * 0.2)

    def hang_up(self) -> None:
        """Say BYE and wait for its answer; harmless where the call is over."""
        self.audio.stop()
        self.signalling.bye()
        if self.signalling.final is not None and self.signalling.final.code < 300:
            self.wait(lambda: self.ended, GOODBYE_SECONDS)

    def close(self) -> None:
        """Give the ports back, with a BYE where the call still runs. What the other side repeats stays unanswered."""
        self.signalling.bye()
        self.signalling.close()
        self.audio.close()

    def wait(self, until: Callable[[], bool], timeout: float) -> bool:
        """Run the call until a condition holds; False after `timeout` seconds. CallFailed where nobody listens."""
        deadline = time.monotonic() + timeout
        sockets = [self.signalling.socket]
        if self.audio.agreed:
            sockets.append(self.audio.socket)
        while not until():
            now = time.monotonic()
            if now >= deadline:
                return False
            due = min(deadline, self.audio.next_at, self.signalling.repeat_at)
            select.select(sockets, [], [], max(0.0, due - now))
            self.audio.tick()
            self.signalling.receive()
            self.audio.receive()
            self.signalling.repeat()
            if self.signalling.unreachable:
                raise CallFailed(f"Nobody listens on {self._place}. Does the voice worker run?")
        return True

    def _until_said(self, seconds: float) -> None:
        if not self.wait(lambda: self.audio.idle or self.ended, seconds * 1.5 + 5):
            raise CallFailed("This machine is too busy to send audio in time.")
        if not self.audio.idle:
            raise CallFailed("The other side hung up while the caller spoke.")
        self.wait(lambda: self.ended, FRAME_SECONDS)

    def _start_audio(self, answer: SipMessage) -> None:
        try:
            if answer.sdp is None:
                raise SipError(488, "the answer describes no audio")
            self.audio.start(agree(answer.sdp, versions=(version_of(self.signalling.local[0]),)))
        except SipError as error:
            self.hang_up()
            raise CallFailed(f"The answer of {self._place} cannot be used: {error}.") from error

    def _refused(self, final: SipMessage | None) -> CallFailed:
        status = final.code if final else 0
        reason = "".join(c for c in (final.reason if final else "") if c.isprintable())[:80]
        sentence = SENTENCES.get(status, "The voice worker refused the call.").format(extension=self._extension)
        return CallFailed(f"{sentence} ({status} {reason})", status)
