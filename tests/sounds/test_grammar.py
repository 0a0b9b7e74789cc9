"""Numbers, days, times and durations, as callers hear them in each language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.sounds.texts import text_of
from voice.speech import speech_of

TUESDAY = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)

NUMBERS = {
    "en": {
        0: "zero", 1: "one", 21: "twenty-one", 100: "one hundred", 101: "one hundred one",
        342: "three hundred forty-two", 1001: "one thousand one", 12_345: "twelve thousand three hundred forty-five",
    },
    "zh": {
        0: "零", 2: "二", 10: "十", 12: "十二", 21: "二十一", 100: "一百", 101: "一百零一", 110: "一百一十",
        212: "二百一十二", 1001: "一千零一", 1010: "一千零一十", 1100: "一千一百", 20_000: "两万", 10_010: "一万零一十",
        30_506: "三万零五百零六",
    },
    "ja": {
        0: "ゼロ", 4: "よん", 21: "にじゅういち", 100: "ひゃく", 101: "ひゃくいち", 342: "さんびゃくよんじゅうに",
        806: "はっぴゃくろく", 3600: "さんぜんろっぴゃく", 10_000: "いちまん",
    },
    "es": {
        0: "cero", 1: "uno", 21: "veintiuno", 31: "treinta y uno", 100: "cien", 101: "ciento uno", 500: "quinientos",
        1000: "mil", 1100: "mil cien", 21_000: "veintiún mil",
    },
    "fr": {
        0: "zéro", 1: "un", 21: "vingt et un", 71: "soixante et onze", 80: "quatre-vingts", 81: "quatre-vingt-un",
        99: "quatre-vingt-dix-neuf", 100: "cent", 101: "cent un", 200: "deux cent", 1000: "mille",
        2026: "deux mille vingt-six",
    },
}  # fmt: skip

COUNTS = {
    "en": {
        (0, 0): "You have no messages.",
        (1, 0): "You have one new message.",
        (2, 0): "You have two new messages.",
        (11, 1): "You have eleven new messages, and one saved message.",
        (21, 0): "You have twenty-one new messages.",
        (100, 101): "You have one hundred new messages, and one hundred one saved messages.",
        (0, 5): "You have no new messages. You have five saved messages.",
        (3, 2, 1): "You have three new messages, including one urgent, and two saved messages.",
        (1, 0, 1): "You have one new urgent message.",
    },
    "zh": {
        (0, 0): "您没有留言。",
        (1, 0): "您有一条新留言。",
        (2, 0): "您有两条新留言。",
        (11, 2): "您有十一条新留言，两条已保存的留言。",
        (12, 0): "您有十二条新留言。",
        (21, 0): "您有二十一条新留言。",
        (100, 101): "您有一百条新留言，一百零一条已保存的留言。",
        (0, 5): "您没有新留言。您有五条已保存的留言。",
        (3, 2, 2): "您有三条新留言，其中两条紧急，两条已保存的留言。",
        (1, 0, 1): "您有一条紧急新留言。",
    },
    "ja": {
        (0, 0): "メッセージはありません。",
        (1, 0): "新しいメッセージが、いっけんあります。",
        (2, 0): "新しいメッセージが、にけんあります。",
        (6, 8): "新しいメッセージが、ろっけん保存されたメッセージが、はっけんあります。",
        (10, 0): "新しいメッセージが、じゅっけんあります。",
        (11, 0): "新しいメッセージが、じゅういっけんあります。",
        (21, 0): "新しいメッセージが、にじゅういっけんあります。",
        (30, 0): "新しいメッセージが、さんじゅっけんあります。",
        (100, 101): "新しいメッセージが、ひゃっけん保存されたメッセージが、ひゃくいっけんあります。",
        (310, 1600): "新しいメッセージが、さんびゃくじゅっけん保存されたメッセージが、せんろっぴゃっけんあります。",
        (2000, 0): "新しいメッセージが、にせんけんあります。",
        (0, 5): "新しいメッセージはありません。保存されたメッセージが、ごけんあります。",
        (3, 0, 1): "新しいメッセージが、さんけんうち、緊急のメッセージが、いっけんあります。",
    },
    "es": {
        (0, 0): "No tiene mensajes.",
        (1, 0): "Tiene un mensaje nuevo.",
        (2, 0): "Tiene dos mensajes nuevos.",
        (11, 1): "Tiene once mensajes nuevos, y un mensaje guardado.",
        (21, 31): "Tiene veintiún mensajes nuevos, y treinta y un mensajes guardados.",
        (100, 101): "Tiene cien mensajes nuevos, y ciento un mensajes guardados.",
        (0, 5): "No tiene mensajes nuevos. Tiene cinco mensajes guardados.",
        (3, 2, 1): "Tiene tres mensajes nuevos, de ellos uno urgente, y dos mensajes guardados.",
        (3, 0, 2): "Tiene tres mensajes nuevos, de ellos dos urgentes.",
        (1, 0, 1): "Tiene un mensaje nuevo urgente.",
    },
    "fr": {
        (0, 0): "Vous n'avez aucun message.",
        (1, 0): "Vous avez un nouveau message.",
        (2, 0): "Vous avez deux nouveaux messages.",
        (11, 1): "Vous avez onze nouveaux messages, et un message sauvegardé.",
        (21, 0): "Vous avez vingt et un nouveaux messages.",
        (100, 101): "Vous avez cent nouveaux messages, et cent un messages sauvegardés.",
        (0, 5): "Vous n'avez pas de nouveau message. Vous avez cinq messages sauvegardés.",
        (3, 2, 1): "Vous avez trois nouveaux messages, dont un urgent, et deux messages sauvegardés.",
        (1, 0, 1): "Vous avez un nouveau message urgent.",
    },
}

TIMES = {
    "en": {
        (0, 0): "at midnight", (0, 30): "at twelve thirty A M", (9, 5): "at nine oh five A M", (12, 0): "at noon",
        (12, 15): "at twelve fifteen P M", (15, 45): "at three forty-five P M", (21, 0): "at nine P M",
    },
    "zh": {
        (0, 0): "午夜零点", (0, 30): "凌晨零点三十分", (2, 0): "凌晨两点", (9, 5): "上午九点零五分",
        (12, 0): "中午十二点", (12, 15): "中午十二点十五分", (15, 45): "下午三点四十五分", (21, 0): "晚上九点",
    },
    "ja": {
        (0, 0): "午前れいじ", (0, 30): "午前れいじさんじゅっぷん", (9, 5): "午前くじごふん", (12, 0): "しょうご",
        (12, 15): "午後れいじじゅうごふん", (15, 45): "午後さんじよんじゅうごふん", (16, 8): "午後よじはっぷん",
    },
    "es": {
        (0, 0): "a medianoche", (0, 30): "a las doce treinta de la noche", (1, 5): "a la una y cinco de la madrugada",
        (9, 0): "a las nueve de la mañana", (12, 0): "al mediodía", (12, 15): "a las doce quince de la tarde",
        (15, 45): "a las tres cuarenta y cinco de la tarde", (21, 1): "a las nueve y uno de la noche",
    },
    "fr": {
        (0, 0): "à minuit", (0, 30): "à zéro heure trente", (1, 1): "à une heure une", (9, 5): "à neuf heures cinq",
        (12, 0): "à midi", (12, 15): "à douze heures quinze", (15, 45): "à quinze heures quarante-cinq",
        (21, 21): "à vingt et une heures vingt et une",
    },
}  # fmt: skip

DAYS = {
    "en": ("today", "yesterday", "Tuesday", "March third", "December thirty-first twenty twenty-five"),
    "zh": ("今天", "昨天", "星期二", "三月三日", "二零二五年十二月三十一日"),
    "ja": (
        "今日、",
        "昨日、",
        "火曜日、",
        "さんがつみっか、",
        "にせんにじゅうごねん、じゅうにがつさんじゅういちにち、",
    ),
    "es": ("hoy", "ayer", "el martes", "el tres de marzo", "el treinta y uno de diciembre de dos mil veinticinco"),
    "fr": ("aujourd'hui", "hier", "mardi", "le trois mars", "le trente et un décembre deux mille vingt-cinq"),
}

DURATIONS = {
    "en": {
        0: "zero seconds",
        1: "one second",
        61: "one minute one second",
        120: "two minutes",
        3660: "one hour one minute",
    },
    "zh": {0: "零秒", 2: "两秒", 61: "一分钟一秒", 125: "两分钟五秒", 7200: "两小时"},
    "ja": {
        0: "ゼロびょう",
        4: "よんびょう",
        61: "いっぷんいちびょう",
        620: "じゅっぷんにじゅうびょう",
        14_400: "よじかん",
    },
    "es": {
        0: "cero segundos",
        1: "un segundo",
        81: "un minuto veintiún segundos",
        3600: "una hora",
        75_600: "veintiuna horas",
    },
    "fr": {
        0: "zéro seconde",
        1: "une seconde",
        81: "une minute vingt et une secondes",
        3600: "une heure",
        7200: "deux heures",
    },
}

ENVELOPES = {
    "en": "Received today at three forty-five P M from one zero zero one Length: two minutes five seconds",
    "zh": "今天下午三点四十五分收到，来电号码，幺零零幺时长，两分钟五秒",
    "ja": "今日、午後さんじよんじゅうごふんに、お預かりしました。"
    "いちゼロゼロいちからのメッセージです。長さは、にふんごびょうです。",
    "es": "Recibido hoy a las tres cuarenta y cinco de la tarde "
    "del número uno cero cero uno Duración: dos minutos cinco segundos",
    "fr": "Reçu aujourd'hui à quinze heures quarante-cinq du numéro un zéro zéro un Durée : deux minutes cinq secondes",
}

POSITIONS = {
    "en": "Message two",
    "zh": "第二条留言。",
    "ja": "にけんめのメッセージです。",
    "es": "Mensaje dos",
    "fr": "Message deux",
}
DELETED = {
    "en": "You have two deleted messages.", "zh": "您有两条已删除的留言。",
    "ja": "消去したメッセージが、にけんあります。",
    "es": "Tiene dos mensajes borrados.", "fr": "Vous avez deux messages effacés.",
}  # fmt: skip
PIN_LENGTHS = {
    "en": "A PIN has at least four and at most ten digits.", "zh": "密码至少四位，最多十位数字。",
    "ja": "暗証番号は、よんけた以上、じゅうけた以下です。",
    "es": "Una clave tiene al menos cuatro y como máximo diez cifras.",
    "fr": "Un code secret a au moins quatre et au plus dix chiffres.",
}  # fmt: skip


def rows(table: dict[str, dict[object, str]]) -> list[tuple[str, object, str]]:
    return [(language, value, said) for language, entries in table.items() for value, said in entries.items()]


@pytest.mark.parametrize(("language", "value", "said"), rows(NUMBERS))
def test_a_number(language: str, value: int, said: str) -> None:
    assert text_of(language, speech_of(language).number(value)) == said


@pytest.mark.parametrize(("language", "counts", "said"), rows(COUNTS))
def test_how_many_messages_there_are(language: str, counts: tuple[int, ...], said: str) -> None:
    assert text_of(language, speech_of(language).counts(*counts)) == said


@pytest.mark.parametrize(("language", "time", "said"), rows(TIMES))
def test_the_time_of_day(language: str, time: tuple[int, int], said: str) -> None:
    assert text_of(language, speech_of(language).time(datetime(2026, 1, 1, *time, tzinfo=UTC))) == said


@pytest.mark.parametrize(("language", "days"), DAYS.items())
def test_the_day(language: str, days: tuple[str, ...]) -> None:
    speech, wednesday = speech_of(language), TUESDAY + timedelta(days=1)
    said = [
        speech.day(when, now)
        for when, now in (
            (TUESDAY, TUESDAY),
            (TUESDAY - timedelta(days=1), TUESDAY),
            (TUESDAY, wednesday + timedelta(days=5)),
            (TUESDAY - timedelta(days=7), TUESDAY),
            (datetime(2025, 12, 31, tzinfo=UTC), TUESDAY),
        )
    ]
    assert tuple(text_of(language, names) for names in said) == days


def test_the_days_are_those_of_the_calendar_and_not_of_24_hours() -> None:
    japan = timezone(timedelta(hours=9))
    just_before, just_after = datetime(2026, 3, 9, 23, 59, tzinfo=japan), datetime(2026, 3, 10, 0, 1, tzinfo=japan)
    assert speech_of("ja").day(just_before, just_after) == ["yesterday"]
    assert speech_of("ja").day(just_after, just_before) == ["tomorrow"]


def test_a_day_after_tomorrow_is_said_by_its_date() -> None:
    assert text_of("en", speech_of("en").day(TUESDAY + timedelta(days=2), TUESDAY)) == "March twelfth"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "two thousand five"),
        ("zh", "二零零五年"),
        ("ja", "にせんごねん、"),
        ("es", "de dos mil cinco"),
        ("fr", "deux mille cinq"),
    ],
)
def test_a_year_long_ago(language: str, said: str) -> None:
    assert said in text_of(language, speech_of(language).day(datetime(2005, 5, 5, tzinfo=UTC), TUESDAY))


@pytest.mark.parametrize(("language", "seconds", "said"), rows(DURATIONS))
def test_a_duration(language: str, seconds: int, said: str) -> None:
    assert text_of(language, speech_of(language).duration(seconds)) == said


@pytest.mark.parametrize(("language", "said"), ENVELOPES.items())
def test_an_envelope(language: str, said: str) -> None:
    when = TUESDAY.replace(hour=15, minute=45)
    assert text_of(language, speech_of(language).envelope(when, TUESDAY, "1001", 125.2)) == said


@pytest.mark.parametrize("caller", ["", "anonymous", "héllo", "٣"])
def test_a_caller_without_a_number_is_unknown(caller: str) -> None:
    assert speech_of("en").caller(caller) == ["unknown_caller"]
    assert speech_of("ja").caller(caller) == ["unknown_caller"]


def test_a_long_number_is_read_in_groups_and_a_short_one_at_once() -> None:
    assert speech_of("en").digits("1001#") == ["digit_1", "digit_0", "digit_0", "digit_1", "digit_pound"]
    groups = " ".join(name.removeprefix("digit_") for name in speech_of("en").digits("+44 20-7946 0018"))
    assert groups == "plus 4 4 pause 2 0 7 pause 9 4 6 pause 0 0 1 8"


@pytest.mark.parametrize(("language", "said"), POSITIONS.items())
def test_the_place_of_a_message(language: str, said: str) -> None:
    assert text_of(language, speech_of(language).position(2)) == said


@pytest.mark.parametrize(("language", "said"), DELETED.items())
def test_how_many_deleted_messages_there_are(language: str, said: str) -> None:
    assert text_of(language, speech_of(language).deleted(2)) == said
    assert speech_of(language).deleted(0) == ["no_deleted"]


@pytest.mark.parametrize(("language", "said"), PIN_LENGTHS.items())
def test_how_long_a_pin_is(language: str, said: str) -> None:
    assert text_of(language, speech_of(language).pin_length(4, 10)) == said


def test_a_language_that_is_not_known_is_spoken_in_english() -> None:
    assert speech_of("xx") is speech_of("en")
