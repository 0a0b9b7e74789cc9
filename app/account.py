"""The account of programmed calls: its sid and its token, from the settings, else made once in the instance folder.

A leaf: the voice side reads it as well. It signs requests (X-Twilio-Signature) and opens the REST calls (Basic).
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from app import key_file
from app.config import Settings, SettingsError

API_VERSION = "2010-04-01"
SID, TOKEN = "programmable.account_sid", "programmable.auth_token"
_SID = re.compile(r"AC[0-9a-f]{32}")


@dataclass(frozen=True)
class Account:
    """sid: AC and 32 hexadecimal digits. token: a secret."""

    sid: str
    token: str = field(repr=False)

    @property
    def path(self) -> str:
        """Where the account is in the REST calls."""
        return f"/{API_VERSION}/Accounts/{self.sid}"

    def recording_url(self, public_url: str, recording_sid: str) -> str:
        """The RecordingUrl of a recording: its audio as WAV, with .mp3 behind it as MP3."""
        return f"{public_url}{self.path}/Recordings/{recording_sid}"


def account_of(settings: Settings) -> Account:
    """The instance's account, made at the first need; SettingsError."""
    wanted = settings.programmable
    sid = wanted.account_sid or key_file.ensure(settings.account_sid_file, SID, lambda: f"AC{secrets.token_hex(16)}")
    token = wanted.auth_token or key_file.ensure(settings.auth_token_file, TOKEN, lambda: secrets.token_hex(16))
    if not _SID.fullmatch(sid):
        raise SettingsError(SID, "must be AC and 32 hexadecimal digits, in lower case")
    return Account(sid, token)


def rotate(settings: Settings) -> Account:
    """The account with another token, kept in the instance folder; whoever asks from now on gets it. SettingsError."""
    account_of(settings)
    key_file.replace(settings.auth_token_file, TOKEN, secrets.token_hex(16))
    return account_of(settings)
