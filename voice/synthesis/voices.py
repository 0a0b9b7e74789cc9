"""The voices of the engines, and what the names of Twilio's voices ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voice.synthesis.engine import Voice

PICO, KOKORO = "pico", "kokoro"
WOMAN, MAN = "woman", "man"
# The first voice of a language is its usual one. SVOX Pico has women alone; its men are the same voices, lower.
VOICES = (
    Voice(PICO, "en-US", "en-US", WOMAN),
    Voice(PICO, "en-US-low", "en-US", MAN),
    Voice(PICO, "en-GB", "en-GB", WOMAN),
    Voice(PICO, "en-GB-low", "en-GB", MAN),
    Voice(PICO, "es-ES", "es-ES", WOMAN),
    Voice(PICO, "es-ES-low", "es-ES", MAN),
    Voice(PICO, "fr-FR", "fr-FR", WOMAN),
    Voice(PICO, "fr-FR-low", "fr-FR", MAN),
    Voice(PICO, "de-DE", "de-DE", WOMAN),
    Voice(PICO, "de-DE-low", "de-DE", MAN),
    Voice(PICO, "it-IT", "it-IT", WOMAN),
    Voice(PICO, "it-IT-low", "it-IT", MAN),
    Voice(KOKORO, "af_heart", "en-US", WOMAN),
    Voice(KOKORO, "am_michael", "en-US", MAN),
    Voice(KOKORO, "zf_xiaobei", "zh-CN", WOMAN),
    Voice(KOKORO, "zm_yunjian", "zh-CN", MAN),
    Voice(KOKORO, "jf_gongitsune", "ja-JP", WOMAN),
    Voice(KOKORO, "jm_kumo", "ja-JP", MAN),
    Voice(KOKORO, "ef_dora", "es-419", WOMAN),
    Voice(KOKORO, "em_alex", "es-419", MAN),
    Voice(KOKORO, "ff_siwis", "fr-FR", WOMAN),
)
# Languages that are written with another first subtag too (BCP 47, ISO 639-3).
_SAME = {"cmn": "zh", "zho": "zh", "jpn": "ja", "eng": "en", "spa": "es", "fra": "fr", "deu": "de", "ita": "it"}
# Regions that are nearer to British than to American English.
_BRITISH = frozenset(("AU", "GB", "IE", "IN", "NZ", "SG", "UK", "ZA"))
_GOOGLE = re.compile(r"Google\.([a-z]{2,3}-[A-Z]{2})-\S+")
_POLLY = re.compile(r"Polly\.([A-Z][a-z]+)(?:-(?:Neural|Generative|Long-?[Ff]orm))?")
# Amazon Polly's voices of the languages spoken here (https://docs.aws.amazon.com/polly/latest/dg/available-voices.html).
_POLLY_VOICES = {
    ("en-US", WOMAN): "Danielle Ivy Joanna Kendra Kimberly Ruth Salli",
    ("en-US", MAN): "Gregory Joey Justin Kevin Matthew Patrick Stephen",
    ("en-GB", WOMAN): "Amy Emma",
    ("en-GB", MAN): "Arthur Brian",
    ("en-AU", WOMAN): "Nicole Olivia",
    ("en-AU", MAN): "Russell",
    ("en-IN", WOMAN): "Aditi Kajal Raveena",
    ("en-ZA", WOMAN): "Ayanda",
    ("en-NZ", WOMAN): "Aria",
    ("en-IE", WOMAN): "Niamh",
    ("es-ES", WOMAN): "Conchita Lucia",
    ("es-ES", MAN): "Enrique Sergio",
    ("es-MX", WOMAN): "Mia",
    ("es-MX", MAN): "Andres",
    ("es-US", WOMAN): "Lupe Penelope",
    ("es-US", MAN): "Miguel Pedro",
    ("fr-FR", WOMAN): "Celine Lea",
    ("fr-FR", MAN): "Mathieu Remi",
    ("fr-CA", WOMAN): "Chantal Gabrielle",
    ("fr-CA", MAN): "Liam",
    ("ja-JP", WOMAN): "Kazuha Mizuki Tomoko",
    ("ja-JP", MAN): "Takumi",
    ("zh-CN", WOMAN): "Zhiyu",
    ("de-DE", WOMAN): "Marlene Vicki",
    ("de-DE", MAN): "Daniel Hans",
    ("it-IT", WOMAN): "Bianca Carla",
    ("it-IT", MAN): "Adriano Giorgio",
}
_POLLY_BY_NAME = {name: asked for asked, names in _POLLY_VOICES.items() for name in names.split()}


@dataclass(frozen=True)
class Asked:
    """What a voice's name asks for; empty where it does not say. known: False for a name that means nothing here."""

    language: str = ""
    sex: str = ""
    own: Voice | None = None
    known: bool = True


def asked_by(name: str) -> Asked:
    """What a name of Twilio's (man, woman, alice, Polly.Joanna, Google.en-US-Wavenet-A) or ours (Kokoro.af_heart) asks.

    https://www.twilio.com/docs/voice/twiml/say/text-speech
    """
    name = name.strip()
    if name.lower() in ("", "default"):
        return Asked()
    if name.lower() in ("alice", WOMAN, MAN):
        return Asked(sex=MAN if name.lower() == MAN else WOMAN)
    for voice in VOICES:
        if name.lower() in (voice.name.lower(), f"{voice.engine}.{voice.name}".lower()):
            return Asked(voice.language, voice.sex, voice)
    if found := _GOOGLE.fullmatch(name):
        return Asked(tag_of(found[1]))
    if (found := _POLLY.fullmatch(name)) and found[1] in _POLLY_BY_NAME:
        return Asked(*_POLLY_BY_NAME[found[1]])
    return Asked(known=False)


def language_of(name: str) -> str:
    """The language that a voice's name tells, or empty: Polly.Lucia is Spanish."""
    return asked_by(name).language


def tag_of(language: str) -> str:
    """A language as voices have it: cmn-Hans-CN and zh_cn are zh-CN, en-us is en-US; empty where it is none."""
    parts = [part for part in re.split(r"[-_]", language.strip()) if part]
    if not parts or not re.fullmatch(r"[A-Za-z]{2,3}", parts[0]):
        return ""
    base = _SAME.get(parts[0].lower(), parts[0].lower())
    region = next((part.upper() for part in parts[1:] if re.fullmatch(r"[A-Za-z]{2}|\d{3}", part)), "")
    return f"{base}-{region}" if region else base


def nearness(voice: Voice, tag: str) -> int:
    """How well a voice's region fits a tag of its language: 2 the same, 1 kin, 0 not at all."""
    if voice.language == tag:
        return 2
    region = tag.partition("-")[2]
    return int(voice.language == "en-GB" and region in _BRITISH)
