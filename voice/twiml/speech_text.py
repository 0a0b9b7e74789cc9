"""What is said of the text of Say, where it has speech markup (SSML) in it."""

from __future__ import annotations

from voice.twiml.tree import Element, Text

# These stand between words; the others stand around them, or in the midst of one.
_SEPARATE = {"break", "p", "s"}


def spoken(element: Element) -> str:
    """Its words with single spaces; of <sub>, its alias. The tree's limit of depth is the one of this, too."""
    return " ".join("".join(_pieces(element)).split())


def _pieces(element: Element) -> list[str]:
    pieces = []
    for part in element.content:
        if isinstance(part, Text):
            pieces.append(part.text)
            continue
        name = part.name.rpartition("}")[2]
        between = " " if name in _SEPARATE else ""
        alias = part.attributes.get("alias", "") if name == "sub" else ""
        pieces += [between, *([alias] if alias else _pieces(part)), between]
    return pieces
