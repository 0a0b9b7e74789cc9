"""Programmed calls of a voice worker: the courier that goes for them, and what they share."""

from __future__ import annotations

from collections.abc import Callable

from app.account import account_of
from app.config import Settings
from voice.call import Call
from voice.flows.outcome import Outcome
from voice.keeper_client import KeeperClient
from voice.mailbox import MailboxFacts
from voice.prompts import Prompts
from voice.reception import Programs, Reception
from voice.twiml.courier_client import CourierClient
from voice.twiml.desk import ScriptDesk
from voice.twiml.interpreter import run_script
from voice.twiml.ledger import KeeperLedger
from voice.twiml.recordings import Place, Recordings
from voice.twiml.script import Script

STOP_SECONDS = 2.0


class ProgrammedCalls:
    """start() before the first call, stop() after the last. on_fault: a fault of ours has broken a call."""

    def __init__(
        self,
        settings: Settings,
        keeper: KeeperClient,
        prompts: Prompts,
        reception: Reception,
        on_fault: Callable[[], None],
    ) -> None:
        """From here on the reception knows numbers. SettingsError where the account is none."""
        self._courier = CourierClient(settings)
        self._desk = ScriptDesk(
            errands=self._courier,
            ledger=KeeperLedger(keeper.tell),
            recordings=Recordings(Place.of(settings), keeper),
            prompts=prompts,
            account_sid=account_of(settings).sid,
            most_documents=settings.programmable.most_documents,
            find_mailbox=keeper.find_mailbox,
            leave_message=reception.leave_message,
            check_messages=reception.check_messages,
            on_fault=on_fault,
        )
        reception.programs = Programs(keeper, self._run)

    def start(self) -> None:
        """Start the courier: the first caller must not wait for it."""
        self._courier.start()

    def stop(self) -> None:
        """Let the courier finish what it has begun, and end it."""
        # What it tells at its end is for the keeper, which ends after it.
        self._courier.stop(STOP_SECONDS)

    def _run(self, call: Call, script: Script, mailbox: MailboxFacts | None) -> Outcome:
        return run_script(call, script, self._desk, mailbox)
