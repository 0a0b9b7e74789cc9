"""Who calls, and does he know the PIN?"""

from __future__ import annotations

from voice.errors import KeeperAway
from voice.flows.talk import LONGEST_NUMBER, Talk, WrongPins
from voice.owner import Opened

ROUNDS = 9
"""Who presses * goes back to the number of the mailbox; so often at most."""


def log_in(talk: Talk, extension: str = "", own_phone: bool = False) -> Opened:
    """Ask for mailbox and PIN, or for the PIN alone where the extension is known; WrongPins.

    own_phone: the PBX vouches that the phone of this extension calls, which its mailbox may trust.
    """
    if own_phone and (opened := _trusted(talk, extension)):
        return opened
    known = extension
    for _ in range(ROUNDS):
        extension = known or _digits(talk, "enter_mailbox")
        if extension == "*":
            continue
        # Who called from the own phone may want another mailbox; who has entered its number knows which.
        pin = _digits(talk, "enter_pin", *(talk.speech.option("option_log_out", "*") if known else ()))
        if pin == "*":
            known = ""
            continue
        if opened := _open(talk, extension, pin):
            return opened
        talk.count_wrong_pin()
        talk.say("login_wrong")
    raise WrongPins


def _digits(talk: Talk, *prompts: str) -> str:
    """A number, empty where it is none; * where it was taken back."""
    gathered = talk.number(*prompts)
    if gathered.finished_by == "*":
        return "*"
    return gathered.digits if len(gathered.digits) <= LONGEST_NUMBER else ""


def _trusted(talk: Talk, extension: str) -> Opened | None:
    try:
        return talk.requests.open_own(extension)
    except KeeperAway:
        # It may be back until the PIN is there.
        return None


def _open(talk: Talk, extension: str, pin: str) -> Opened | None:
    talk.await_turn()
    if not (extension and pin):
        return None
    opened = talk.requests.log_in(extension, pin, talk.source)
    if opened is None:
        talk.slow_down()
    return opened
