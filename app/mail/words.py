"""Times, lengths and names as people of each language write them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from app.models.greeting import BUSY, NAME, TEMPORARY, UNAVAILABLE

_DAYS = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "zh": ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"],
    "ja": ["月", "火", "水", "木", "金", "土", "日"],
    "es": ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
    "fr": ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
}
_MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    "fr": [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
}
_MOMENTS = {
    "en": "{weekday} {day} {month} {year}, {time} ({zone})",
    "zh": "{year}年{number}月{day}日 {weekday} {time}（{zone}）",
    "ja": "{year}年{number}月{day}日（{weekday}）{time}（{zone}）",
    "es": "{weekday}, {day} de {month} de {year}, {time} ({zone})",
    "fr": "{weekday} {day} {month} {year} à {time} ({zone})",
}
# Hours, minutes, seconds.
_LENGTHS = {
    "en": ("{} h", "{} min", "{} s", " "),
    "zh": ("{} 小时", "{} 分", "{} 秒", " "),
    "ja": ("{}時間", "{}分", "{}秒", ""),
    "es": ("{} h", "{} min", "{} s", " "),
    "fr": ("{} h", "{} min", "{} s", " "),
}
UNKNOWN_CALLERS = {
    "en": "Unknown caller",
    "zh": "未知来电者",
    "ja": "不明な発信者",
    "es": "Llamante desconocido",
    "fr": "Appelant inconnu",
}
OPEN_WORDS = {
    "en": "Open the portal",
    "zh": "打开管理页面",
    "ja": "ポータルを開く",
    "es": "Abrir el portal",
    "fr": "Ouvrir le portail",
}
_GREETINGS = {
    "en": ("the greeting", "the greeting for a busy line", "the temporary greeting", "the recorded name"),
    "zh": ("问候语", "占线时的问候语", "临时问候语", "录制的姓名"),
    "ja": ("応答メッセージ", "話し中の応答メッセージ", "一時的な応答メッセージ", "録音された名前"),
    "es": ("el saludo", "el saludo de línea ocupada", "el saludo temporal", "el nombre grabado"),
    "fr": ("le message d’accueil", "l’accueil de ligne occupée", "l’accueil temporaire", "le nom enregistré"),
}
_PAIRS = {"zh": "{}（{}）"}


def moment(when: datetime, zone: str, language: str) -> str:
    """A time with its day and zone, as that language writes it: Thursday 26 November 2026, 14:03 (Europe/Paris)."""
    local = when.astimezone(ZoneInfo(zone))
    return _MOMENTS[language].format(
        weekday=_DAYS[language][local.weekday()],
        day="1er" if language == "fr" and local.day == 1 else local.day,
        month=_MONTHS[language][local.month - 1] if language in _MONTHS else "",
        number=local.month,
        year=local.year,
        time=f"{local:%H:%M}",
        zone=zone,
    )


def length(seconds: float, language: str) -> str:
    """A length in whole seconds: 42 s, 1 min 5 s, 1 h 2 min 3 s."""
    *units, space = _LENGTHS[language]
    minutes, rest = divmod(max(0, round(seconds)), 60)
    parts = (*divmod(minutes, 60), rest)
    said = [unit.format(part) for unit, part in zip(units, parts, strict=True) if part]
    return space.join(said) or units[2].format(0)


def caller(name: str, number: str, language: str) -> str:
    """Who called, in one line."""
    if name and number:
        return _PAIRS.get(language, "{} ({})").format(name, number)
    return name or number or UNKNOWN_CALLERS[language]


def greeting(kind: str, language: str) -> str:
    """A kind of greeting within a sentence."""
    words = dict(zip((UNAVAILABLE, BUSY, TEMPORARY, NAME), _GREETINGS[language], strict=True))
    return words.get(kind, words[UNAVAILABLE])
