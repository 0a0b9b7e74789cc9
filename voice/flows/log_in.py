"""Who calls, and does he know the PIN?"""

from __future__ import annotations

from voice.errors import KeeperAway
from voice.flows.talk import LONGEST_NUMBER, Talk
from voice.media import SAMPLE_RATE
from voice.owner import Opened
from voice.verbs import Play

WRONG_PINS = 3
ROUNDS = 9
"""Who presses * goes back to the number of the mailbox; so often at most."""


def log_in(talk: Talk, extension: str = "", own_phone: bool = False) -> Opened | None:
    """Ask for mailbox and PIN, or for the PIN alone where the extension is known; None where it was wrong three times.

    own_phone: the PBX vouches that the phone of this extension calls, which its mailbox may trust.
    """
    if own_phone and (opened := _trusted(talk, extension)):
        return opened
    known, wrong = extension, 0
    for _ in range(ROUNDS):
        extension = known or _digits(talk, "enter_mailbox")
        if extension == "*":
            continue
        pin = _digits(talk, "enter_pin")
        if pin == "*":
            known = ""
            continue
        if opened := _open(talk, extension, pin):
            return opened
        wrong += 1
        if wrong == WRONG_PINS:
            break
        talk.say("login_wrong")
    talk.tell("login_failed")
    return None


def _digits(talk: Talk, prompt: str) -> str:
    """A number, empty where it is none; * where it was taken back."""
    gathered = talk.number(prompt)
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
    """Open the mailbox; a source of many wrong PINs waits for the answer, be it right or wrong."""
    slow = talk.desk.slow
    if delay := slow.delay(talk.source):
        Play(talk.call.law.silence(round(delay * SAMPLE_RATE))).run(talk.call)
    if not (extension and pin):
        return None
    opened = talk.requests.log_in(extension, pin, talk.source)
    if opened is None:
        slow.failed(talk.source)
    return opened
