"""Metadata are short ASCII headers in which any text comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.storage.metadata import LONGEST, decoded, encoded

SHA256 = "0" * 64
NAMES = st.sampled_from(["caller_name", "caller_number", "call_id", "id"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(st.dictionaries(NAMES, TEXTS))
def test_any_text_comes_back(metadata: dict[str, str]) -> None:
    headers = encoded(metadata, SHA256)
    assert all(
        value.isascii() and value.isprintable() and value and value == value.strip() for value in headers.values()
    )
    assert decoded(headers) == (SHA256, metadata)


def test_the_longest_that_a_message_has_fits_whole() -> None:
    metadata = {
        "id": "i" * 36, "mailbox_id": "m" * 36, "caller_number": "+" * 64, "caller_name": "🎙" * 128,
        "call_id": "c" * 255, "received_at": "2026-11-26T05:00:00.123456+00:00", "duration": "3600.000",
        "urgent": "false",
    }  # fmt: skip
    assert decoded(encoded(metadata, SHA256)) == (SHA256, metadata)


def test_what_is_too_long_is_cut_and_never_refused() -> None:
    headers = encoded({"caller_name": "🎙" * 5000, "id": "5c1e2b7a"}, SHA256)
    assert sum(len(name) + len(value) for name, value in headers.items()) <= LONGEST
    digest, texts = decoded(headers)
    assert (digest, texts["id"]) == (SHA256, "5c1e2b7a")
    assert set(texts["caller_name"]) == {"🎙"}


def test_headers_that_others_wrote_are_read_as_they_stand() -> None:
    assert decoded({"Name": "%base64,%%%", "other": "100%"}) == (None, {"name": "%base64,%%%", "other": "100%"})
