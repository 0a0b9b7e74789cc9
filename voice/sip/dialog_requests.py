"""Our BYE and UPDATE in the dialog of a call, and our password where they are challenged (RFC 3261, 22.2 and 22.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from voice.sip.authentication import Authenticator, CannotAuthenticate
from voice.sip.dialog import Dialog
from voice.sip.message import SipMessage
from voice.sip.response import Headers

if TYPE_CHECKING:
    from voice.sip.phone import Phone

log = logging.getLogger(__name__)
OnFinal = Callable[[SipMessage | None], None]


class DialogRequests:
    """Sends them one after the other: a BYE takes the place of an UPDATE that waits for its answer. SIP thread only.

    Only a call whose PBX has challenged one of them keeps the challenge: it is answered with each request after it.
    """

    __slots__ = ("_authenticator", "_branch", "_dialog", "_phone")

    def __init__(self, phone: Phone, dialog: Dialog) -> None:
        self._phone, self._dialog = phone, dialog
        self._authenticator: Authenticator | None = None
        self._branch = ""

    def send(self, method: str, headers: Headers, on_final: OnFinal) -> None:
        """Send a request. on_final gets its final response, or None without one.

        A challenge is among these only where we cannot answer it, or must not.
        """
        if self._authenticator is not None:
            self._authenticator.begin()
        self._send(method, headers, on_final)

    def withdraw(self) -> None:
        """The dialog is over: a challenge to what is under way is answered no more."""
        self._branch = ""

    def _send(self, method: str, headers: Headers, on_final: OnFinal) -> None:
        branch = self._branch = self._phone.sip.gen_branch()
        fields = (*headers, *self._credentials(method))
        data, destination = self._dialog.build_request(method, branch, fields)

        def answered(response: SipMessage | None) -> None:
            if response is not None and branch == self._branch and self._is_answerable(response, destination[0]):
                self._send(method, headers, on_final)
            else:
                on_final(response)

        self._phone.sip.transactions.request(data, destination, branch, method, answered)

    def _credentials(self, method: str) -> Headers:
        """Our answers to the challenges of before; none where the other side has moved to who may not ask for them."""
        if self._authenticator is None or not self._phone.challengers.may_ask(self._dialog.next_hop[0]):
            return ()
        return self._authenticator.headers(method, self._dialog.request_uri)

    def _is_answerable(self, response: SipMessage, host: str) -> bool:
        """Whether it is a challenge that the request may be sent again for. host: the IP address that it went to."""
        if response.code not in (401, 407):
            return False
        authenticator = self._authenticator or Authenticator(self._phone.credentials)
        try:
            authenticator.take(response, may_ask=self._phone.challengers.may_ask(host))
        except CannotAuthenticate as error:
            method = response.cseq[1]
            log.warning("call=%s %s got %d: %s", self._dialog.call_id, method, response.code, error)
            return False
        self._authenticator = authenticator
        return True
