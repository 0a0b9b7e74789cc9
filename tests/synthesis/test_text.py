"""Texts as strangers send them become sentences that engines can take."""

from __future__ import annotations

import pytest

from voice.synthesis.text import LONGEST_WORD, has_words, sentences, tidied


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("  Hello\n\tthere \r\n", "Hello there"),
        ("Hello\x00\x07\x1b[31m there\x7f", "Hello [31m there"),
        ("Good 😀 morning 👨‍👩‍👧", "Good morning"),
        ("ca\u00adfe\u0301", "café"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("one<break time='1s'/>two</prosody>", "one two"),
        ("<![CDATA[Hello]]> <!-- not this -->there", "there"),
        ("if a < b and c > d", "if a b and c d"),
        ("5 € and 20 °C", "5 € and 20 °C"),
        ("wait........ no!!!!!!", "wait... no!!!"),
        ("\ud800lone\udfff", "lone"),
        ("您好，世界。", "您好，世界。"),
        ("a\u00a0b\u2028c\u202ed", "a b c d"),
    ],
)
def test_what_is_left_of_a_text(text: str, spoken: str) -> None:
    assert tidied(text) == spoken


@pytest.mark.parametrize("text", ['<genfile file="/tmp/x">hi</genfile>', "&lt;genfile&gt;", "<", ">>><<", "<a" * 50])
def test_no_angle_bracket_reaches_an_engine(text: str) -> None:
    assert not set("<>") & set(tidied(text))


@pytest.mark.parametrize("text", ["", " ", "😀", "...!?", "<Say/>", "\x00", "„“"])
def test_what_has_no_words(text: str) -> None:
    assert not has_words(tidied(text))
    assert sentences(tidied(text)) == []


def test_no_more_than_4096_characters() -> None:
    assert len(tidied("a b " * 5000)) <= 4096


@pytest.mark.parametrize("text", ["á" * 4096, "1" * 4096, "ab\u0301" * 1000])
def test_endless_words_are_cut(text: str) -> None:
    assert max(len(word) for word in tidied(text).split()) <= LONGEST_WORD


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith and J. R. Tolkien are in. Bye.", ["Dr. Smith and J. R. Tolkien are in.", "Bye."]),
        ("It costs 3.50 at example.com now.", ["It costs 3.50 at example.com now."]),
        ("您好。请按一！再见", ["您好。", "请按一！", "再见"]),
        ("¿Qué tal? ¡Bien!", ["¿Qué tal?", "¡Bien!"]),
        ("Hello. ... Bye.", ["Hello.", "Bye."]),
    ],
)
def test_sentences(text: str, pieces: list[str]) -> None:
    assert sentences(text) == pieces


@pytest.mark.parametrize(
    ("text", "longest"), [("word, " * 600, 200), ("word " * 700, 200), ("请按一，" * 500, 50), ("啊" * 2000, 50)]
)
def test_long_sentences_are_cut_where_one_breathes(text: str, longest: int) -> None:
    pieces = sentences(tidied(text))
    assert max(map(len, pieces)) <= longest
    assert "".join("".join(pieces).split()) == "".join(tidied(text).split())
