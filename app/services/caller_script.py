"""What the caller of a simulated call does, as people write it: `1 pause 2 4711# hangup`.

Keys are pressed one after the other, each as soon as the call listens for one: while it gathers or records, not while
it plays. `pause 2` lets two seconds go by, `hangup` ends the call. Behind the last word the caller stays on the line.
"""

from __future__ import annotations

import re

from app.services.fields import Problem

KEYS, PAUSE, HANGUP = "keys", "pause", "hangup"
LONGEST = 500
MOST_STEPS, LONGEST_PAUSE = 100, 600.0
_KEYS = re.compile(r"[0-9*#A-D]{1,64}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?", re.ASCII)
_WORD = re.compile(r"\S+")

# (KEYS, "4711#"), (PAUSE, 2.0) or (HANGUP, None), as JSON carries it.
Act = list[str | float | None]


def parse(text: str) -> list[Act]:
    """The acts of a script in their order; Problem with a sentence that names the word that is wrong."""
    if len(text) > LONGEST:
        raise Problem(f"What the caller does has at most {LONGEST} characters; this has {len(text)}.")
    words = _WORD.findall(text)
    acts: list[Act] = []
    while words:
        if len(acts) >= MOST_STEPS:
            raise Problem(f"The caller does at most {MOST_STEPS} things.")
        if acts and acts[-1][0] == HANGUP:
            raise Problem(f"Nothing can follow hangup; here “{_shown(words[0])}” does.")
        acts.append(_act(words))
    return acts


def _act(words: list[str]) -> Act:
    """The act that the first words are; they are taken."""
    word = words.pop(0)
    if word.lower() == HANGUP:
        return [HANGUP, None]
    if word.lower() == PAUSE:
        return [PAUSE, _seconds(words.pop(0) if words else "")]
    if _KEYS.fullmatch(word.upper()):
        return [KEYS, word.upper()]
    raise Problem(f"“{_shown(word)}” is neither keys (0-9 * # A-D) nor pause with its seconds nor hangup.")


def _seconds(word: str) -> float:
    if not word:
        raise Problem("Say how many seconds the last pause takes, such as pause 2.")
    if not _SECONDS.fullmatch(word) or not 0 < float(word) <= LONGEST_PAUSE:
        limit = f"from 0.001 to {LONGEST_PAUSE:.0f}"
        raise Problem(f"Behind pause stand its seconds, {limit}, such as pause 2; “{_shown(word)}” is none.")
    return float(word)


def _shown(word: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in word[:30])
