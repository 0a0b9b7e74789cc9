"""The account of programmed calls: its sid and its token, from the settings, else made once in the instance folder.

A leaf: the voice side reads it as well. It signs requests (X-Twilio-Signature) and opens the REST calls (Basic).
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from app import key_file
from app.config import Settings, SettingsError

SID, TOKEN = "programmable.account_sid", "programmable.auth_token"
_SID = re.compile(r"AC[0-9a-f]{32}")


@dataclass(frozen=True)
class Account:
    """sid: AC and 32 hexadecimal digits. token: a secret."""

    sid: str
    token: str = field(repr=False)


def account_of(settings: Settings) -> Account:
    """The instance's account, made at the first need; SettingsError."""
    wanted = settings.programmable
    sid = wanted.account_sid or key_file.ensure(settings.account_sid_file, SID, lambda: f"AC{secrets.token_hex(16)}")
    token = wanted.auth_token or key_file.ensure(settings.auth_token_file, TOKEN, lambda: secrets.token_hex(16))
    if not _SID.fullmatch(sid):
        raise SettingsError(SID, "must be AC and 32 hexadecimal digits, in lower case")
    return Account(sid, token)
