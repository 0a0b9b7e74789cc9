"""Why a call of ours did not work, as a sentence for people."""

from __future__ import annotations

from voice.errors import VoiceError


class CallFailed(VoiceError):
    """The text is a sentence for people. status: of the final response where there was one, else 0."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
