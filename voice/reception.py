"""Which flow a call goes through: an owner's, a script's, that of who leaves a message; or nobody is served."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from voice.call import Call, CallFacts
from voice.errors import KeeperAway, VoiceError
from voice.flows.check_messages import check_messages
from voice.flows.leave_message import LOG_IN, leave_message, take_no_message
from voice.flows.outcome import Outcome
from voice.flows.talk import Desk
from voice.mailbox import MailboxFacts
from voice.router import OWN, normalise
from voice.takes import Takes
from voice.twiml.script import Script

log = logging.getLogger(__name__)
RETRY_AFTER = {"Retry-After": "30"}
NEVER, INSIDE = "never", "inside"


class Refused(VoiceError):
    """The call is not taken: the SIP status, its reason phrase, and what the answer carries besides."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status, self.reason, self.headers = status, reason, headers or {}


class Directory(Protocol):
    """Whoever knows the mailboxes (voice.keeper_client.KeeperClient)."""

    def find_mailbox(self, extensions: list[str]) -> MailboxFacts | None: ...


class Scripts(Protocol):
    """Whoever knows the numbers (voice.keeper_client.KeeperClient)."""

    def find_script(self, dialled: list[str], extensions: list[str]) -> tuple[Script | None, MailboxFacts | None]:
        """Who answers a call, in one round trip; KeeperAway where nobody knows.

        dialled: users of Request-URI and To as they came; extensions: as of find_mailbox(). In this order: a number
        that was dialled (script alone), a mailbox (with its own script, or without), the catch-all (script alone);
        (None, None) where nobody does.
        """
        ...


@dataclass(frozen=True)
class Programs:
    """Calls that others program. run: a call by a script, which may stand for a mailbox's greeting."""

    scripts: Scripts
    run: Callable[[Call, Script, MailboxFacts | None], Outcome]


@dataclass(frozen=True)
class Admitted:
    """A call that is taken. mailbox: the one that is meant, None where its owner has yet to say; run: its flow."""

    mailbox: MailboxFacts | None
    run: Callable[[Call], Outcome]


class Reception:
    """Decides for each call.

    spool, free_disk: below so many bytes free there no message is taken. star_login: whom * in the greeting leads to
    log-in: never, inside (phones of mailboxes) or always.
    """

    def __init__(
        self, directory: Directory, desk: Desk, takes: Takes, spool: Path, free_disk: int, star_login: str = INSIDE
    ) -> None:
        self._directory, self._desk, self._takes = directory, desk, takes
        self._spool, self._free_disk, self._star_login = spool, free_disk, star_login
        # None: no call is programmed. Set before the first call: programs may hand a call back to us.
        self.programs: Programs | None = None

    def admit(self, facts: CallFacts) -> Admitted:
        """What becomes of the call; Refused."""
        if facts.service:
            own = self._mailbox_of_phone(facts) if facts.service == OWN else None
            return Admitted(own, lambda call: self._check_messages(call, own))
        script, mailbox, programs = *self._who_answers(facts), self.programs
        if script is not None and programs is not None and mailbox is None:
            return Admitted(None, lambda call: programs.run(call, script, None))
        self._check_disk()
        if mailbox is None:
            raise Refused(404, "Not Found")
        if script is not None and programs is not None:
            return Admitted(mailbox, lambda call: programs.run(call, script, mailbox))
        return Admitted(mailbox, lambda call: self.leave_message(call, mailbox))

    def check_messages(self, call: Call) -> Outcome:
        """The owner of the phone that calls checks his messages, or whoever knows a mailbox's number and PIN."""
        return self._check_messages(call, self._mailbox_of_phone(call.facts))

    def _check_messages(self, call: Call, own: MailboxFacts | None) -> Outcome:
        own_phone = own is not None and _is_extension(call.facts, own)
        return check_messages(call, self._desk, own, own_phone)

    def leave_message(self, call: Call, mailbox: MailboxFacts) -> Outcome:
        """A caller leaves a message, or logs in by the key *; without room on the disk he hears that it cannot be.

        admit() refuses such a call where it is the mailbox's from the start; a document brings it here later.
        """
        facts, desk = call.facts, self._desk
        if not self._has_room("no message is taken"):
            return take_no_message(call, mailbox, desk.prompts)
        may_log_in = None if self._star_login == NEVER else lambda: self._may_log_in(facts)
        outcome = leave_message(call, mailbox, desk.prompts, self._takes, desk.limits, may_log_in, desk.now)
        if outcome.ended_by != LOG_IN:
            return outcome
        return check_messages(call, desk, mailbox, own_phone=facts.trusted and _is_extension(facts, mailbox))

    def _may_log_in(self, facts: CallFacts) -> bool:
        return self._star_login != INSIDE or self._mailbox_of_phone(facts) is not None

    def _mailbox_of_phone(self, facts: CallFacts) -> MailboxFacts | None:
        """The mailbox whose extension or alias calls, where it is sure who calls; None where the PIN alone would not
        say whose it is."""
        number = normalise(facts.caller_number) if facts.trusted else ""
        if not number:
            return None
        try:
            return self._directory.find_mailbox([number])
        except KeeperAway as error:
            log.warning("call=%s nobody knows whose phone calls: %s", facts.call_id, error)
            return None

    def _who_answers(self, facts: CallFacts) -> tuple[Script | None, MailboxFacts | None]:
        """The script, the mailbox, or the mailbox with its own script; Refused."""
        extensions = list(facts.extensions)
        try:
            if self.programs is not None:
                return self.programs.scripts.find_script(list(facts.dialled), extensions)
            return None, self._directory.find_mailbox(extensions)
        except KeeperAway as error:
            log.error("call=%s refused, nobody knows whom it is for: %s", facts.call_id, error)
            raise Refused(503, "Service Unavailable", RETRY_AFTER) from None

    def _check_disk(self) -> None:
        if not self._has_room("calls are refused"):
            raise Refused(503, "Service Unavailable", RETRY_AFTER)

    def _has_room(self, otherwise: str) -> bool:
        free = shutil.disk_usage(self._spool).free
        if free < self._free_disk:
            log.critical("free disk %d bytes is below limits.free_disk_bytes, %s", free, otherwise)
        return free >= self._free_disk


def _is_extension(facts: CallFacts, mailbox: MailboxFacts) -> bool:
    """Whether the mailbox's own phone calls. An alias may be the number of any phone: it never replaces the PIN."""
    return normalise(facts.caller_number) == mailbox.extension
