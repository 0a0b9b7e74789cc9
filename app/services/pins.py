"""PINs and the hashes of all secrets that are only compared (Argon2id, RFC 9106)."""

from __future__ import annotations

import secrets
import threading
from enum import StrEnum
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from app.config import PinSettings
from app.services.context import settings

GENERATED_LENGTH = 6
UP = "01234567890"
DOWN = UP[::-1]
LONGEST_SECRET = 1024


class Rule(StrEnum):
    """A rule that a PIN may break."""

    DIGITS = "digits"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    ALL_THE_SAME = "all the same"
    IN_A_ROW = "in a row"
    IS_EXTENSION = "is extension"


def broken_rule(pin: str, extension: str) -> Rule | None:
    """The first rule that a PIN breaks, or None."""
    rules = settings().pin
    if not (pin.isascii() and pin.isdigit()):
        return Rule.DIGITS
    if len(pin) < rules.minimum_length:
        return Rule.TOO_SHORT
    if len(pin) > rules.maximum_length:
        return Rule.TOO_LONG
    if len(set(pin)) == 1:
        return Rule.ALL_THE_SAME
    if pin in UP or pin in DOWN:
        return Rule.IN_A_ROW
    return Rule.IS_EXTENSION if pin == extension else None


def problem_of(pin: str, extension: str) -> str | None:
    """The rule that a PIN breaks, as a sentence, or None."""
    rules = settings().pin
    length = f"A PIN has {rules.minimum_length} to {rules.maximum_length} digits; this one has {len(pin)}."
    sentences = {
        Rule.DIGITS: "A PIN consists of digits only.",
        Rule.TOO_SHORT: length,
        Rule.TOO_LONG: length,
        Rule.ALL_THE_SAME: "The digits of a PIN must not all be the same.",
        Rule.IN_A_ROW: "The digits of a PIN must not count up or down, like 1234 or 8765.",
        Rule.IS_EXTENSION: "A PIN must not be the extension.",
    }
    broken = broken_rule(pin, extension)
    return sentences[broken] if broken else None


def generate(extension: str) -> str:
    """A PIN that keeps the rules."""
    rules = settings().pin
    length = max(rules.minimum_length, min(GENERATED_LENGTH, rules.maximum_length))
    while True:
        pin = "".join(secrets.choice("0123456789") for _ in range(length))
        if problem_of(pin, extension) is None:
            return pin


def hash_secret(secret: str) -> str:
    """The Argon2id hash of a PIN or password; waits while as many hashes as allowed are computed."""
    rules = settings().pin
    with _turn(rules.hashes_at_once):
        return _hasher(rules).hash(_bytes(secret))


def verify(hashed: str, secret: str) -> bool:
    """Whether the secret is the one that was hashed."""
    if len(secret) > LONGEST_SECRET:
        return False
    rules = settings().pin
    with _turn(rules.hashes_at_once):
        try:
            return _hasher(rules).verify(hashed, _bytes(secret))
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


def is_outdated(hashed: str) -> bool:
    """Whether the hash was made with other parameters than those in force."""
    return _hasher(settings().pin).check_needs_rehash(hashed)


@cache
def decoy() -> str:
    """The hash of no secret that anybody has, compared where nobody has the name or number: answers take as long."""
    return hash_secret("nobody has this secret")


def _bytes(secret: str) -> bytes:
    # A terminal may send what is no UTF-8; it is wrong, or right, like any other secret.
    return secret.encode("utf-8", "surrogatepass")


@cache
def _turn(at_once: int) -> threading.BoundedSemaphore:
    # Each hash takes 64 MiB: a crowd at the log-in must not take the machine's memory.
    return threading.BoundedSemaphore(at_once)


@cache
def _hasher(rules: PinSettings) -> PasswordHasher:
    return PasswordHasher(
        time_cost=rules.argon2_time_cost, memory_cost=rules.argon2_memory_kib, parallelism=rules.argon2_parallelism
    )
