"""The rules of PINs, and the work that a hash takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import argon2
import pytest
from argon2 import PasswordHasher
from flask import Flask

from app import create_app
from app.services import pins
from tests.services.together import together
from tests.support import make_settings, until


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.mark.parametrize(
    ("pin", "rule"),
    [
        ("1234", "count up or down"),
        ("2345", "count up or down"),
        ("8765", "count up or down"),
        ("7890", "count up or down"),
        ("0987", "count up or down"),
        ("01234567", "count up or down"),
        ("98765432", "count up or down"),
        ("1111", "all be the same"),
        ("00000000", "all be the same"),
        ("5020", "must not be the extension"),
        ("12a4", "digits only"),
        ("abcd", "digits only"),
        ("", "digits only"),
        ("47 11", "digits only"),
        ("４７１１", "digits only"),
        ("²³¹²", "digits only"),
        ("471", "4 to 8 digits; this one has 3"),
        ("471147114", "4 to 8 digits; this one has 9"),
        ("4" * 5000, "4 to 8 digits; this one has 5000"),
    ],
)
def test_the_sentence_names_the_rule(pin: str, rule: str) -> None:
    problem = pins.problem_of(pin, "5020")
    assert problem is not None
    assert rule in problem
    assert problem.endswith(".")


@pytest.mark.parametrize("pin", ["4711", "1235", "8901", "1357", "9012", "47114711", "0012", "1112"])
def test_other_pins_will_do(pin: str) -> None:
    assert pins.problem_of(pin, "5020") is None


def test_what_is_generated_keeps_the_rules() -> None:
    made = {pins.generate("5020") for _ in range(300)}
    assert [pin for pin in made if pins.problem_of(pin, "5020")] == []
    assert len(made) > 250


def test_the_length_is_a_setting(instance: Path) -> None:
    settings = make_settings(
        instance, VOICEMAIL__PIN__MINIMUM_LENGTH="6", VOICEMAIL__PIN__MAXIMUM_LENGTH="7", SECRET_KEY="a key of the test"
    )
    with create_app(settings).app_context():
        assert pins.problem_of("47114", "1") == "A PIN has 6 to 7 digits; this one has 5."
        assert pins.problem_of("471147", "1") is None
        assert len(pins.generate("1")) == 6


def test_the_parameters_of_argon2_are_settings(instance: Path) -> None:
    settings = make_settings(
        instance,
        VOICEMAIL__PIN__ARGON2_MEMORY_KIB="9216",
        VOICEMAIL__PIN__ARGON2_TIME_COST="2",
        VOICEMAIL__PIN__ARGON2_PARALLELISM="2",
        SECRET_KEY="a key of the test",
    )
    with create_app(settings).app_context():
        hashed = pins.hash_secret("4711")
        assert hashed.startswith("$argon2id$")
        parameters = argon2.extract_parameters(hashed)
        assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (9216, 2, 2)
        assert pins.verify(hashed, "4711")
        assert not pins.is_outdated(hashed)
    # Under other parameters it still opens, and is known to be old.
    assert pins.verify(hashed, "4711")
    assert pins.is_outdated(hashed)


def test_the_defaults_are_64_mib_and_three_passes(instance: Path) -> None:
    from app.config import load_settings

    rules = load_settings({"VOICEMAIL_INSTANCE": str(instance)}).pin
    assert (rules.argon2_memory_kib, rules.argon2_time_cost, rules.hashes_at_once) == (65536, 3, 2)


def test_two_hashes_of_one_pin_differ() -> None:
    assert pins.hash_secret("4711") != pins.hash_secret("4711")


@pytest.mark.parametrize("hashed", ["", "4711", "$argon2id$", "$argon2id$v=19$m=8192,t=1,p=1$x$y", "\0"])
def test_a_damaged_hash_opens_nothing(hashed: str) -> None:
    assert not pins.verify(hashed, "4711")


@pytest.mark.parametrize("secret", ["", "\0", "\ud800", "x" * 100_000, "４７１１"])
def test_strange_secrets_are_wrong_ones(secret: str) -> None:
    assert not pins.verify(pins.hash_secret("4711"), secret)


def test_at_most_two_hashes_are_computed_at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = CountingHasher()
    monkeypatch.setattr(pins, "_hasher", lambda rules: hasher)
    helper = threading.Thread(target=hasher.let_go_when_crowded)
    helper.start()
    acts = [lambda: pins.hash_secret("4711"), lambda: pins.verify("hash", "4711")] * 4
    results = together(app, *acts)
    helper.join(10)
    assert results == ["hash", True] * 4
    assert hasher.most == 2


class CountingHasher(PasswordHasher):
    """Counts who is in at the same time; holds the first ones until two are in."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.most, self._lock = 0, 0, threading.Lock()
        self._go = threading.Event()

    def let_go_when_crowded(self) -> None:
        until(lambda: self.inside >= 2, 10, "two hashes at once")
        self._go.set()

    def _work(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self._go.wait(10)
        with self._lock:
            self.inside -= 1

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self._work()
        return "hash"

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self._work()
        return True
