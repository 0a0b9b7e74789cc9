"""What the process that paces media finds ready-made: prompts, greetings, and a mailbox among thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from voice.mailbox import MailboxFacts, find_in_snapshot, write_snapshot
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN, Prompts, payload_path, prepare_payloads

GREETING = BUILT_IN / "fr" / "goodbye.wav"


def no_work(*arguments: object) -> bytes:
    raise AssertionError("this is work for another process, or for the start")


def test_prompts_are_encoded_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, lazy = Prompts("en"), Prompts("en")
    expected = {law: lazy.prompt("not_available", "ja", law) + lazy.tone("beep", law) for law in Law}
    prompts.prepare()
    monkeypatch.setattr(g711, "encode", no_work)
    monkeypatch.setattr(wav, "read_prompt", no_work)
    for law in Law:
        assert prompts.prompt("not_available", "ja", law) + prompts.tone("beep", law) == expected[law]


def test_a_prepared_greeting_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "greeting.wav"
    path.write_bytes(GREETING.read_bytes())
    expected = {law: g711.encode(wav.read_prompt(path), law) for law in Law}
    prepare_payloads(path)
    prepare_payloads(path)
    monkeypatch.setattr(g711, "encode", no_work)
    monkeypatch.setattr(wav, "read_prompt", no_work)
    for law in Law:
        assert Prompts("en").sound(str(path), law) == expected[law]
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".pcma", ".pcmu", ".wav"]


def test_one_that_was_not_prepared_plays_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "greeting.wav"
    path.write_bytes(GREETING.read_bytes())
    assert Prompts("en").sound(str(path), Law.PCMA) == g711.encode(wav.read_prompt(path), Law.PCMA)


def test_what_is_no_sound_is_not_prepared(tmp_path: Path) -> None:
    path = tmp_path / "greeting.wav"
    path.write_bytes(b"not a sound")
    with pytest.raises(ValueError, match="WAV"):
        prepare_payloads(path)
    assert not payload_path(path, Law.PCMU).exists()


def test_a_mailbox_is_found_in_the_snapshot_and_no_name_is_taken_for_an_extension(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    hostile = '"extension": "1002", "extension": "1003"\n{"extension": "1002"}\u2028'
    boxes = [
        MailboxFacts("a", "1001", hostile, "en", "UTC"),
        MailboxFacts("b", "1002", "Bob", "ja", "Asia/Tokyo", {"unavailable": "/cache/greeting.wav"}),
        *(MailboxFacts(str(number), str(number), f"Box {number}", "en", "UTC") for number in range(2000, 4000)),
    ]
    write_snapshot(path, boxes)
    assert find_in_snapshot(path, ["9999", "1002", "1001"]) == boxes[1]
    assert find_in_snapshot(path, ["1001"]) == boxes[0]
    assert find_in_snapshot(path, ["3999"]) == boxes[-1]
    for unknown in ("1003", "100", "", '1002"', "a"):
        assert find_in_snapshot(path, [unknown]) is None


def test_a_mailbox_is_found_in_the_snapshot_by_its_aliases(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    boxes = [
        MailboxFacts("a", "1001", '"aliases": ["2003"]', "en", "UTC", operator="2004", aliases=("2001", "2002")),
        MailboxFacts("b", "1002", "Bob", "en", "UTC", aliases=("2005",), review=True, max_duration=30.0),
    ]
    write_snapshot(path, boxes)
    for number, box in (("2001", boxes[0]), ("2002", boxes[0]), ("2005", boxes[1])):
        assert find_in_snapshot(path, ["9999", number]) == box
    for unknown in ("2003", "2004", "200", "20", ""):
        assert find_in_snapshot(path, [unknown]) is None


@pytest.mark.parametrize(("greeting", "path"), [("null", None), ('"/cache/greeting.wav"', "/cache/greeting.wav")])
def test_a_snapshot_of_another_version_is_understood(tmp_path: Path, greeting: str, path: str | None) -> None:
    snapshot = tmp_path / "snapshot.json"
    first = '"id": "a", "extension": "1001", "name": "Anna", "language": "fr", "timezone": "UTC"'
    snapshot.write_text(f'[\n{{{first}, "greeting": {greeting}}}\n]')
    found = find_in_snapshot(snapshot, ["1001"])
    assert found is not None
    assert (found.name, found.language, found.greeting, found.aliases) == ("Anna", "fr", path, ())
    snapshot.write_text(f'[\n{{{first}, "greetings": {{"busy": "/b.wav"}}, "of a later version": 1}}\n]')
    found = find_in_snapshot(snapshot, ["1001"])
    assert found is not None
    assert found.greetings == {"busy": "/b.wav"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'"extension": "1001"', b'[{"extension": "1001"}]', b"\xff"])
def test_a_snapshot_that_makes_no_sense_knows_nobody(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "snapshot.json"
    path.write_bytes(content)
    assert find_in_snapshot(path, ["1001"]) is None
    assert find_in_snapshot(tmp_path / "none", ["1001"]) is None
