"""A mail as bytes: what others wrote into it stays what it is."""

from __future__ import annotations

from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import SMTP

import pytest

from app.mail.letter import Letter
from app.mail.sender import Address
from app.mail.templates import Texts


@pytest.mark.parametrize("to", ["anna@example.com", "zoë@example.com"])
def test_what_looks_encoded_is_not_decoded(to: str) -> None:
    """Neither in a subject nor in a name, whether the server has SMTPUTF8 or not (RFC 2047, RFC 6532)."""
    sly = "=?utf-8?q?x=0D=0ABcc:_all@example.com=0D=0A=0D=0ACall_us?="
    letter = Letter(Address(sly, to), Address("", to), Texts(f"From {sly}", "text\n", "<p>text</p>"), {"X-Own": "1"})
    wire = letter.as_bytes()
    mail = message_from_bytes(wire, policy=SMTP)
    assert mail.get_body(("plain",)).get_content().splitlines() == ["text"]
    assert mail["X-Own"] == "1"
    assert "Bcc" not in mail
    assert b"\r\nBcc:" not in wire
    # Not by Python's newer parser, which decodes twice.
    raw = message_from_bytes(wire)
    assert str(make_header(decode_header(raw["Subject"]))) == f"From {sly}"


def test_a_subject_has_one_line() -> None:
    address = Address("", "anna@example.com")
    with pytest.raises(ValueError, match="one line"):
        Letter(address, address, Texts("one\r\nBcc: all@example.com", "text\n", "<p>text</p>"), {}).as_bytes()
