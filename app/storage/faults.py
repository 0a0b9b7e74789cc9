"""What a remote store's answer means: one plain sentence, and what a person can do about it."""

from __future__ import annotations

import re
from enum import Enum

from app.storage.base import StoreError


class Fault(Enum):
    """What went wrong: a sentence and an advice; {bucket} stands for the bucket's name."""

    KEY = ("the store refuses the key that it was given", "Correct storage.access_key and storage.secret_key")
    NO_KEY = ("no key for the store was found", "Set the keys of [voicemail.storage], or the environment's own")
    EXPIRED = ("the token for the store has run out", "Get a new one, or give keys that do not run out")
    RIGHTS = (
        "the store does not allow this with the given key",
        "Let it read, write, delete and list in {bucket}",
    )
    BUCKET = ("there is no bucket {bucket}", "Make it, or correct storage.bucket and storage.region")
    BUCKET_NAME = ("{bucket} cannot be the name of a bucket", "Correct storage.bucket")
    REGION = (
        "the store sends requests for {bucket} to another region or address",
        "Correct storage.region and storage.endpoint",
    )
    CLOCK = ("the store says that this host's clock is wrong", "Set it by NTP (timedatectl set-ntp true)")
    TLS = (
        "the store's certificate is not trusted",
        "Correct storage.endpoint; for an authority of your own set REQUESTS_CA_BUNDLE",
    )
    NAME = ("the store's host name is not known", "Correct storage.endpoint and storage.region, or this host's DNS")
    AWAY = ("the store does not answer", "Look whether it runs, at storage.endpoint and at firewalls in between")
    CUT = ("the connection to the store broke", "Nothing, where it is rare; else look at the network in between")
    BUSY = ("the store is too busy", "Nothing, it is tried again; where it lasts look at the store")
    ADDRESS = ("storage.endpoint is no address of a store", "Write it as https://HOST or http://HOST:PORT")
    CREDENTIALS_FILE = ("the file of storage.credentials_file cannot be used", "Take the service account's JSON file")
    CONNECTION_STRING = ("storage.connection_string is not one of Azure", "Copy it anew from the Azure portal")
    OTHER = ("the store answered {code}", "Look it up in the store's documentation")


def told(fault: Fault, bucket: str, code: str = "") -> StoreError:
    """The error of a fault. code: the store's own word for it; only letters and digits of it are repeated."""
    word = re.sub(r"[^A-Za-z0-9_.-]", "", code)[:60] or "something unknown"
    sentence, advice = (text.format(bucket=bucket, code=word) for text in fault.value)
    known = fault is not Fault.OTHER and word != "something unknown"
    return StoreError(f"{sentence} ({word})" if known else sentence, advice)


def of_connection(error: BaseException) -> Fault:
    """The fault of an error below HTTP, from its words: libraries wrap what the system said in many layers."""
    text = " ".join(_words(error))
    if "RecursionError" in text:
        # botocore follows redirects without end where a proxy redirects everything.
        return Fault.REGION
    if re.search(r"certificate|CERTIFICATE_VERIFY|SSLError|\bssl\b", text, re.IGNORECASE):
        return Fault.TLS
    if re.search(r"NameResolution|getaddrinfo|Name or service not known|name resolution|nodename", text):
        return Fault.NAME
    if re.search(r"reset|aborted|broken|closed|IncompleteRead|Incomplete|EOF", text, re.IGNORECASE):
        return Fault.CUT
    return Fault.AWAY


def _words(error: BaseException) -> list[str]:
    found, seen = [], 0
    current: BaseException | None = error
    while current is not None and seen < 10:
        found.append(f"{type(current).__name__} {current}")
        current, seen = current.__cause__ or current.__context__, seen + 1
    return found
