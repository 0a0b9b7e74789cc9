"""What a recogniser hears of the engines, where one is installed; VOICEMAIL_KOKORO names a folder of `make speech`."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from app.config import Settings
from tests.ears import can_hear, understood
from voice.synthesis.synthesis import Synthesis
from voice.synthesis.voices import KOKORO, PICO, VOICES

FOLDER = os.environ.get("VOICEMAIL_KOKORO", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not can_hear(), reason="VOICEMAIL_SPEECH names no folder of sounds/make.py setup"),
]
TEXTS = {
    "en": [
        "Thank you for calling the dentist. To make an appointment, press one.",
        "We are closed until Monday at half past eight.",
        "Your order number 4 7 1 will arrive on the 3rd of May.",
    ],
    "es": [
        "Gracias por llamar a la clínica. Para pedir una cita, pulse uno.",
        "Estamos cerrados hasta el lunes a las ocho y media.",
        "Su pedido llegará mañana por la tarde.",
    ],
    "fr": [
        "Merci d'avoir appelé le cabinet. Pour prendre rendez-vous, appuyez sur un.",
        "Nous sommes fermés jusqu'à lundi à huit heures et demie.",
        "Votre commande arrivera demain après-midi.",
    ],
    "zh": ["您好，欢迎致电本公司。预约请按一。", "我们明天早上九点开门。"],
    "ja": ["お電話ありがとうございます。", "明日の午後三時にもう一度お電話ください。"],
}
UNDERSTOOD = {"en": 0.9, "es": 0.85, "fr": 0.85, "zh": 0.75, "ja": 0.75}
SPOKEN = [(voice, texts) for voice in VOICES if (texts := TEXTS.get(voice.base))]


@pytest.mark.parametrize(("voice", "texts"), SPOKEN, ids=lambda each: getattr(each, "name", ""))
def test_it_is_understood(voice: object, texts: list[str], tmp_path: Path) -> None:
    name, language, engine = (getattr(voice, field) for field in ("name", "base", "engine"))
    if engine == KOKORO:
        if not FOLDER:
            pytest.skip("VOICEMAIL_KOKORO names no folder of make speech")
        (tmp_path / "speech").symlink_to(Path(FOLDER).resolve())
    settings = Settings(instance=tmp_path)
    preferred = dataclasses.replace(settings.programmable, speech_engine=KOKORO if engine == KOKORO else PICO)
    speech = Synthesis(dataclasses.replace(settings, programmable=preferred))
    try:
        sounds = [(language, speech.say(text, language, f"{engine}.{name}").path, text) for text in texts]
    finally:
        speech.close()
    results = understood(sounds)
    assert sum(each.likeness for each in results) / len(texts) >= UNDERSTOOD[language], results
