"""Owners call their mailbox by real phones: the longest conversation, a short one in each language, twenty at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from app.config import LANGUAGES
from app.services import mailboxes, pins
from tests.calls.spooled import SECONDS, finished
from tests.ears import can_hear, understood
from tests.peers.baresip import needs_baresip
from tests.peers.instance import PIN, Instance, VoiceWorker
from tests.peers.owner_phone import OwnerPhone
from tests.peers.speech import speech, speech_pcm
from tests.support import until
from voice.caller import Caller
from voice.flows.keys import GREETING, GREETINGS, MAIN, MESSAGE, RECORDING, Do
from voice.prompts import Prompts
from voice.store import Store

pytestmark = [pytest.mark.peers, pytest.mark.slow]

RECORDINGS = os.environ.get("VOICEMAIL_RECORDINGS")
"""A folder in which what the owners heard is kept, to be listened to (make recordings)."""
RECEIVED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CALLER = "0301234567"
MESSAGE_SOUND = speech(SECONDS, seed=7)
NEW_PIN = "2468"
NOTHING_YET = (Do.OPERATOR, Do.DELETED)
PHONES = 20
WORDS = {
    "en": ("welcome", "pin", "new messages", "press", "goodbye"),
    "zh": ("留言", "按"),
    "ja": ("メッセージ",),
    "es": ("mensaje", "adiós"),
    "fr": ("message", "au revoir"),
}
"""What a recogniser finds in what an owner heard, where there is one."""
_numbers = count(7701)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """An instance of its own, in which every prompt has a sound."""
    return Instance(tmp_path_factory.mktemp("owners"))


@pytest.fixture(scope="module")
def worker(instance: Instance) -> Iterator[VoiceWorker]:
    """Its voice worker."""
    process = VoiceWorker(instance)
    try:
        yield process.wait_ready()
    finally:
        code = process.stop()
    assert code == 0
    assert "Traceback" not in process.text()


@pytest.fixture(scope="module")
def prompts(instance: Instance) -> Prompts:
    return Prompts("en", instance.folder / "sounds")


@pytest.fixture
def owner(instance: Instance) -> Callable[[str], str]:
    """Makes a mailbox in a language; its extension."""

    def make(language: str) -> str:
        extension = str(next(_numbers))
        with instance.app.app_context():
            mailboxes.create(extension, pin=PIN, language=language, timezone="UTC", actor="test")
        return extension

    return make


def add_messages(instance: Instance, extension: str, how_many: int = 1) -> None:
    """Messages that callers left."""
    store = Store(instance.settings)
    for _ in range(how_many):
        entry = finished(instance, extension)
        entry.close()
        store.save(entry.id)


def states(instance: Instance, extension: str) -> list[str]:
    """What became of the messages of the mailbox."""
    return ["deleted" if message.deleted_at else message.state for message in instance.messages(extension)]


@contextmanager
def calling(folder: Path, worker: VoiceWorker, extension: str, language: str, prompts: Prompts) -> Iterator[OwnerPhone]:
    """An owner who has dialled *97 from the own phone and entered the PIN."""
    with OwnerPhone(folder, extension, language, prompts) as phone:
        phone.dial("*97", worker.port)
        phone.hears("welcome")
        phone.hears("enter_pin", *phone.speech.option("option_log_out", "*"))
        phone.presses(f"{PIN}#")
        yield phone
        phone.is_hung_up_on()
        heard = phone.keep(Path(RECORDINGS or folder) / f"{language}.wav")
        if can_hear():
            text = understood([(language, heard, "")])[0].heard.lower()
            assert [word for word in WORDS[language] if word not in text] == [], text


def hears_the_message(phone: OwnerPhone) -> None:
    """The first message, announced and played."""
    envelope = phone.speech.envelope(RECEIVED, datetime.now(UTC), CALLER, SECONDS)
    phone.hears(*phone.speech.position(1), *envelope)
    phone.hears_sound(MESSAGE_SOUND, "the message")


@needs_baresip
@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_a_short_conversation(
    worker: VoiceWorker,
    instance: Instance,
    owner: Callable[[str], str],
    prompts: Prompts,
    tmp_path: Path,
    language: str,
) -> None:
    extension = owner(language)
    add_messages(instance, extension)
    with calling(tmp_path / "phone", worker, extension, language, prompts) as phone:
        phone.hears(*phone.speech.counts(1, 0, 0))
        phone.presses("1")
        hears_the_message(phone)
        phone.presses("2")
        phone.hears("saved_now")
        phone.hears("end_of_messages")
        phone.presses("#")
        phone.hears("goodbye")
    assert states(instance, extension) == ["saved"]


@needs_baresip
@pytest.mark.timeout(600)
def test_the_longest_conversation(
    worker: VoiceWorker, instance: Instance, owner: Callable[[str], str], prompts: Prompts, tmp_path: Path
) -> None:
    extension = owner("en")
    other = owner("en")
    add_messages(instance, extension, 2)
    with calling(tmp_path / "phone", worker, extension, "en", prompts) as phone:
        phone.hears(*phone.speech.counts(2, 0, 0))
        phone.hears_menu(MAIN, *NOTHING_YET)
        phone.presses("1")
        hears_the_message(phone)
        phone.hears_menu(MESSAGE)
        phone.presses("8")
        phone.hears("forward_mailbox")
        phone.presses(f"{other}#")
        phone.hears(*phone.speech.recipient(other))
        phone.presses("1")
        phone.hears("forward_done")
        phone.presses("3")
        phone.hears("deleted_now")
        phone.hears(*phone.speech.position(2))
        phone.presses("2")
        phone.hears("saved_now")
        phone.hears("end_of_messages")
        records_the_name(phone)
        changes_the_pin(phone)
        phone.presses("0")
        phone.hears("operator_none")
        phone.presses("7")
        phone.hears("invalid_key")
        phone.presses("#")
        phone.hears("goodbye")
    assert sorted(states(instance, extension)) == ["deleted", "saved"]
    until(lambda: states(instance, other) == ["new"], 10, "the copy in the other mailbox")
    with instance.app.app_context():
        box = mailboxes.get(extension)
        assert pins.verify(box.pin_hash, NEW_PIN)
        assert [greeting.kind for greeting in box.greetings] == ["name"]
    assert NEW_PIN not in worker.text()


def records_the_name(phone: OwnerPhone) -> None:
    """Key 5: the recorded name is made, listened to and kept."""
    phone.presses("5")
    phone.hears_menu(GREETINGS)
    phone.presses("4")
    phone.hears("greeting_name_is", "greeting_none")
    phone.hears_menu(GREETING, Do.LISTEN, Do.REMOVE)
    phone.presses("1")
    phone.hears("record_name")
    phone.hears_tone("beep")
    name = speech_pcm(2.0, seed=31)
    phone.says(name)
    phone.hears_menu(RECORDING)
    phone.presses("2")
    phone.hears_sound(speech(2.0, seed=31)[8000:], "the name")
    phone.presses("1")
    phone.hears("greeting_kept")
    phone.presses("**")


def changes_the_pin(phone: OwnerPhone) -> None:
    """Key 4: old, new, again."""
    phone.presses("4")
    phone.hears("pin_old")
    phone.presses(f"{PIN}#")
    phone.hears(*phone.speech.pin_length(4, 8), "pin_rules")
    phone.hears("pin_new")
    phone.presses(f"{NEW_PIN}#")
    phone.hears("pin_again")
    phone.presses(f"{NEW_PIN}#")
    phone.hears("pin_changed")


def test_twenty_phones_in_one_mailbox(worker: VoiceWorker, instance: Instance, owner: Callable[[str], str]) -> None:
    extension = owner("en")
    add_messages(instance, extension, 3 * PHONES)

    def call(number: int) -> str:
        with Caller(worker.host, worker.port, extension, f"Phone {number}") as caller:
            caller.dial("*97")
            caller.press(f"{PIN}#")
            # Listen to new messages, save one, delete the next, back to the menu, end.
            for key in "123*#":
                caller.listen(0.4)
                caller.press(key)
            assert caller.wait(lambda: caller.ended, 60), f"phone {number} is not hung up on"
            return worker.call_line(caller.call_id)["ended_by"]

    with ThreadPoolExecutor(PHONES) as pool:
        assert set(pool.map(call, range(PHONES))) == {"key"}
    found = states(instance, extension)
    assert len(found) == 3 * PHONES
    assert set(found) == {"new", "saved", "deleted"}
    assert [message for message in instance.messages(extension) if message.purged_at] == []
