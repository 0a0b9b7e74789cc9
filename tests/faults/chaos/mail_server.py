"""A mail server that hangs, refuses connections, or answers 421 or 550 for as long as it is told to."""

from __future__ import annotations

import asyncio
import email
import email.policy
from typing import Any

from aiosmtpd.controller import Controller

from tests.faults.chaos.faulty import HOST, Arrival, Faulty
from tests.support import free_port

HANG, REFUSE, BUSY, UNKNOWN = "hang", "refuse", "421", "550"
WAYS = (HANG, REFUSE, BUSY, UNKNOWN)


class MailServer(Faulty):
    """arrivals: mails that were taken with 250; each is known by its Message-ID, and for one recipient."""

    name = "smtp"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._controller: Controller | None = None
        self.start()

    def start(self) -> None:
        """Listen."""
        self._controller = Controller(self, hostname=HOST, port=self.port)
        self._controller.start()

    def close(self) -> None:
        """Listen no more."""
        if self._controller:
            self._controller.stop()
        self._controller = None

    def go_wrong(self, how: str) -> None:
        super().go_wrong(how)
        if how == REFUSE:
            self.close()

    def recover(self, how: str) -> None:
        super().recover(how)
        if self._controller is None:
            self.start()

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """The first command that a fault shows in."""
        if self.wrong == HANG:
            await asyncio.to_thread(self.wait_right)
            return "421 4.4.2 that took too long"
        if self.wrong == BUSY:
            return "421 4.3.2 not now"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """Refuses for good where it is told to."""
        if self.wrong == UNKNOWN:
            return "550 5.1.1 nobody has this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take the mail."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = message.get_body(("plain",))
        text = body.get_content() if body else ""
        self.arrivals += [Arrival(text, each, str(message["Message-ID"])) for each in envelope.rcpt_tos]
        return "250 OK"
