"""Makes any text fit for an engine of speech, and cuts it into sentences."""

from __future__ import annotations

import html
import re
import unicodedata

LONGEST = 4096
LONGEST_SENTENCE, LONGEST_IDEOGRAPHS = 200, 50
# No word of a language is as long; engines fail on longer ones, or never end.
LONGEST_WORD = 40
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,500}>|<[!?][^<>]{0,500}>|\]\]>")
# Controls, surrogates, private and unassigned characters, emoji, loose marks; spaces of all kinds.
_DROPPED = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Mn", "Me", "Zl", "Zp", "Zs"))
_JOINERS = "\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0e\ufe0f"
_KEPT_SYMBOLS = "°€£¥"
_REPEATED = re.compile(r"([^\w\s])\1{3,}")
_WORD = re.compile(rf"[^\s\u3040-\u30ff\u3400-\u9fff]{{{LONGEST_WORD + 1},}}")
_ENDS = re.compile(r"(?<=[。！？])|(?<=[.!?…])[\"'»”’)]*\s+")
_SHORT = re.compile(r"(?:^|[\s(])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Dra|Sr|Sra|St|No|Nr|Mme|Mlle|vs|approx|p\.ej|M)\.$")
_BREAKS = re.compile(r"(?<=[,;:，；：、])\s*|\s+")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def tidied(text: str) -> str:
    """The text as it is spoken: no controls, emoji, tags or entities, single spaces, no endless words.

    Angle brackets never stay: SVOX Pico obeys markup in its text, some of which writes files.
    """
    text = unicodedata.normalize("NFC", _TAG.sub(" ", html.unescape(text[:LONGEST])))
    kept = (character if _is_spoken(character) else _in_place_of(character) for character in text)
    text = _REPEATED.sub(r"\1\1\1", "".join(kept))
    text = _WORD.sub(lambda found: _cut(found.group(), LONGEST_WORD), text)
    return " ".join(text.split())


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(character.isalnum() for character in text)


def sentences(text: str) -> list[str]:
    """A tidied text in pieces that are spoken one by one; pieces without a letter or a digit are left out."""
    whole: list[str] = []
    for piece in _ENDS.split(text):
        if whole and _SHORT.search(whole[-1]):
            whole[-1] += f" {piece}"
        else:
            whole.append(piece)
    short = (part for piece in whole for part in _shortened(piece))
    return [part for part in short if has_words(part)]


def _is_spoken(character: str) -> bool:
    if character in "<>":
        return False
    return character in _KEPT_SYMBOLS or unicodedata.category(character) not in _DROPPED


def _in_place_of(character: str) -> str:
    return "" if character in _JOINERS or unicodedata.combining(character) else " "


def _cut(text: str, length: int) -> str:
    return " ".join(text[start : start + length] for start in range(0, len(text), length))


def _shortened(sentence: str) -> list[str]:
    """A sentence in pieces that engines take at once, cut at commas or spaces where there are any."""
    longest = LONGEST_IDEOGRAPHS if _IDEOGRAPH.search(sentence) else LONGEST_SENTENCE
    pieces: list[str] = []
    for part in _BREAKS.split(sentence.strip()):
        for start in range(0, len(part), longest):
            piece = part[start : start + longest]
            if pieces and len(pieces[-1]) + len(piece) < longest and start == 0:
                pieces[-1] += f" {piece}"
            else:
                pieces.append(piece)
    return pieces
