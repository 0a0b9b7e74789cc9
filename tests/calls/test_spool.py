"""The spool keeps a take over a kill at any line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.calls.scripted import break_next_sync
from voice import spool
from voice.errors import SpoolError

FACTS = {
    "mailbox_id": "b1",
    "extension": "1001",
    "caller_number": "+4930123",
    "caller_name": "Änne 👋",
    "call_id": "c@host",
    "started_at": "2026-11-23T10:00:00.000+00:00",
    "law": "pcmu",
}
FINAL = {"duration": 2.5, "speech": 1.0, "size": 20058, "sha256": "ab" * 32, "ended_by": "key"}


def test_the_sidecar_is_on_disk_before_the_first_frame(tmp_path: Path) -> None:
    entry = spool.SpoolEntry.begin(tmp_path, **FACTS)
    on_disk = json.loads((tmp_path / f"{entry.id}.json").read_text())
    assert on_disk["state"] == "recording"
    assert on_disk["caller_name"] == "Änne 👋"
    assert not entry.wav.exists()
    entry.close()


def test_a_take_that_a_call_owns_is_left_alone(tmp_path: Path) -> None:
    entry = spool.SpoolEntry.begin(tmp_path, **FACTS)
    with spool.adopted(tmp_path, entry.id) as other:
        assert other is None
    entry.close()
    with spool.adopted(tmp_path, entry.id) as other:
        assert other is not None
        assert other.sidecar == entry.sidecar


def test_the_lock_holds_after_the_sidecar_was_replaced(tmp_path: Path) -> None:
    entry = spool.SpoolEntry.begin(tmp_path, **FACTS)
    entry.finish(spool.COMPLETE, **FINAL)
    with spool.adopted(tmp_path, entry.id) as other:
        assert other is None
    entry.close()
    assert spool.read(tmp_path, entry.id).state == "complete"
    assert spool.read(tmp_path, entry.id).duration == 2.5


def test_a_killed_owner_gives_the_take_up(tmp_path: Path) -> None:
    program = (
        "import sys, json; from pathlib import Path; from voice import spool;"
        "e = spool.SpoolEntry.begin(Path(sys.argv[1]), **json.loads(sys.argv[2]));"
        "print(e.id, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), json.dumps(FACTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        take_id = owner.stdout.readline().strip()
        with spool.adopted(tmp_path, take_id) as other:
            assert other is None
        owner.send_signal(signal.SIGKILL)
    with spool.adopted(tmp_path, take_id) as other:
        assert other is not None
        assert other.sidecar.state == "recording"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"version": 2}', b"\xff\xfe", b'{"id": "../../etc/passwd", "version": 1}']
)
def test_a_damaged_sidecar_is_said_to_be_so(tmp_path: Path, content: bytes) -> None:
    entry = spool.SpoolEntry.begin(tmp_path, **FACTS)
    entry.close()
    (tmp_path / f"{entry.id}.json").write_bytes(content)
    with pytest.raises(SpoolError):
        spool.read(tmp_path, entry.id)


@pytest.mark.parametrize(
    ("name", "value"), [("caller_name", None), ("started_at", 5), ("duration", "2"), ("size", 1.5), ("urgent", 1)]
)
def test_a_sidecar_with_a_value_of_another_kind_is_damaged(tmp_path: Path, name: str, value: object) -> None:
    entry = spool.SpoolEntry.begin(tmp_path, **FACTS)
    entry.close()
    path = tmp_path / f"{entry.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(SpoolError):
        spool.read(tmp_path, entry.id)


@pytest.mark.parametrize("take_id", ["", "../x", "a" * 36, "/etc/passwd"])
def test_an_id_is_an_id(tmp_path: Path, take_id: str) -> None:
    with pytest.raises(SpoolError):
        spool.read(tmp_path, take_id)


def test_listing_is_oldest_first_and_knows_sidecars_only(tmp_path: Path) -> None:
    first, second = spool.SpoolEntry.begin(tmp_path, **FACTS), spool.SpoolEntry.begin(tmp_path, **FACTS)
    os.utime(tmp_path / f"{second.id}.json", (1, 1))
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / "x.wav").write_text("")
    assert spool.listing(tmp_path) == [second.id, first.id]
    assert spool.listing(tmp_path / "missing") == []
    first.close()
    second.close()


def test_a_take_that_goes_meanwhile_does_not_hide_the_others(tmp_path: Path) -> None:
    entry = spool.SpoolEntry.begin(tmp_path, **FACTS)
    for name in ("00000000-0000-4000-8000-000000000000.json", "x.json.part"):
        # Named by the folder, and gone when it is looked at.
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    assert spool.listing(tmp_path) == [entry.id]
    spool.sweep(tmp_path)
    assert entry.wav.with_suffix(".json").exists()
    entry.close()


def test_sweep_removes_old_halves_only(tmp_path: Path) -> None:
    old, young = tmp_path / "a.json.part", tmp_path / "b.json.part"
    old.write_text("{")
    young.write_text("{")
    os.utime(old, (1, 1))
    spool.sweep(tmp_path)
    assert not old.exists()
    assert young.exists()


def test_a_spool_that_cannot_be_written_is_a_spool_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SpoolError):
        spool.SpoolEntry.begin(tmp_path / "file", **FACTS)
    with pytest.raises(SpoolError):
        spool.SpoolEntry.begin_once(tmp_path / "file", spool.Sidecar(id=str(uuid.uuid4()), **FACTS))


def test_a_take_that_many_begin_is_begun_once(tmp_path: Path) -> None:
    sidecar = spool.Sidecar(id=str(uuid.uuid4()), **FACTS)
    together = threading.Barrier(8)

    def begin(_: int) -> spool.SpoolEntry | None:
        together.wait(20)
        return spool.SpoolEntry.begin_once(tmp_path, sidecar)

    with ThreadPoolExecutor(8) as pool:
        begun = [entry for entry in pool.map(begin, range(8)) if entry is not None]
    assert len(begun) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{sidecar.id}.json"]
    with spool.adopted(tmp_path, sidecar.id) as other:
        assert other is None
    begun[0].finish(spool.COMPLETE, **FINAL)
    begun[0].close()
    assert spool.SpoolEntry.begin_once(tmp_path, sidecar) is None
    assert spool.read(tmp_path, sidecar.id).state == "complete"


def test_a_new_take_whose_folder_cannot_be_synced_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_next_sync(monkeypatch)
    with pytest.raises(SpoolError):
        spool.SpoolEntry.begin(tmp_path, **FACTS)
    assert list(tmp_path.iterdir()) == []


def test_a_sidecar_that_is_in_place_is_owned_and_known_though_its_folder_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = spool.SpoolEntry.begin(tmp_path, **FACTS)
    break_next_sync(monkeypatch)
    with pytest.raises(SpoolError):
        entry.finish(spool.COMPLETE, **FINAL)
    assert spool.read(tmp_path, entry.id) == entry.sidecar
    assert entry.sidecar.state == spool.COMPLETE
    with spool.adopted(tmp_path, entry.id) as other:
        assert other is None
    entry.close()
    with spool.adopted(tmp_path, entry.id) as other:
        assert other is not None


def test_a_dropped_take_leaves_nothing(tmp_path: Path) -> None:
    entry = spool.SpoolEntry.begin(tmp_path, **FACTS)
    entry.wav.write_bytes(b"RIFF")
    entry.drop()
    assert list(tmp_path.iterdir()) == []
