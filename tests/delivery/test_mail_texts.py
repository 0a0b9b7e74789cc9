"""What mails say, in five languages; templates of the installation; how a letter is encoded."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.config import LANGUAGES, Settings
from app.mail import facts, templates, words
from app.mail.compose import compose
from app.mail.templates import Texts
from app.models import Mailbox, Message
from tests.delivery.mail_server import parse
from tests.support import make_settings

WHEN = datetime(2026, 3, 1, 23, 5, tzinfo=UTC)
# Of 2 March 2026, 00:05, in Paris: a Monday.
MOMENTS = {
    "en": "Monday 2 March 2026, 00:05 (Europe/Paris)",
    "zh": "2026年3月2日 星期一 00:05（Europe/Paris）",
    "ja": "2026年3月2日（月）00:05（Europe/Paris）",
    "es": "lunes, 2 de marzo de 2026, 00:05 (Europe/Paris)",
    "fr": "lundi 2 mars 2026 à 00:05 (Europe/Paris)",
}
SUBJECTS = {
    "en": "New message from 王 Zoë (+12025550143), 1 min 5 s",
    "zh": "新留言：王 Zoë（+12025550143），1 分 5 秒",
    "ja": "王 Zoë (+12025550143)からのメッセージ（1分5秒）",
    "es": "Mensaje nuevo de 王 Zoë (+12025550143), 1 min 5 s",
    "fr": "Nouveau message de 王 Zoë (+12025550143), 1 min 5 s",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path, PUBLIC_URL="https://voicemail.example.com/")


def box(language: str = "en", **values: Any) -> Mailbox:
    return Mailbox(
        **{"extension": "1001", "name": "Büro & Co <1>", "language": language, "timezone": "Europe/Paris"} | values
    )


def about(language: str, settings: Settings, **values: Any) -> facts.Facts:
    usual = {"id": "x", "caller_name": "王 Zoë", "caller_number": "+12025550143", "received_at": WHEN, "duration": 65.2}
    message = Message(**{**usual, "urgent": False, **values})
    message.mailbox = box(language)
    return facts.of_message(message, settings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_in_each_language(settings: Settings, language: str) -> None:
    letter = compose(about(language, settings), "anna@example.com", settings, key="one")
    content = letter.as_bytes()
    assert content.isascii()
    mail = parse(content)
    assert mail["Subject"] == SUBJECTS[language]
    assert mail["Content-Language"] == language
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for body in (text, html):
        assert MOMENTS[language] in body
        assert "https://voicemail.example.com/console/voicemail/messages/x" in body
    assert "Büro & Co <1>" in text
    assert "Büro &amp; Co &lt;1&gt;" in html
    assert f'lang="{language}"' in html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", facts.KINDS)
def test_every_kind_in_each_language(settings: Settings, language: str, kind: str) -> None:
    letter = compose(facts.example(kind, box(language), settings), "anna@example.com", settings, key=kind)
    mail = parse(letter.as_bytes())
    text, html = (mail.get_body((part,)).get_content() for part in ("plain", "html"))
    assert "1001" in text
    assert "https://voicemail.example.com/console/voicemail/1001" in text
    assert 'href="https://voicemail.example.com/console/voicemail/1001"' in html
    assert not re.search(r"\{[{%]|\bNone\b|\n\n\n", text + mail["Subject"])
    if kind != facts.MESSAGE:
        assert "1001" in mail["Subject"]
        assert words.OPEN_WORDS[language] in html
    if language in ("zh", "ja"):
        assert not re.search(r"[a-z]{5,}", re.sub(r"https?://\S+|Europe/Paris|Carla Example", "", text))


def test_all_languages_have_the_same_files_and_variables() -> None:
    def used(folder: Path) -> dict[str, set[str]]:
        names = re.compile(
            r"\b(caller\.text|received|length|urgent|attached|too_large|link|until|happened|greeting|messages)\b"
        )
        expressions = re.compile(r"\{[{%].*?[%}]\}")
        return {
            file.name: {name for part in expressions.findall(file.read_text("utf-8")) for name in names.findall(part)}
            for file in folder.iterdir()
        }

    english = used(templates.BUILT_IN / "en")
    assert len(english) == len(facts.KINDS) * 2 + 1
    for language in LANGUAGES:
        assert used(templates.BUILT_IN / language) == english, language


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_name_and_without_anything(settings: Settings, language: str) -> None:
    number = about(language, settings, caller_name="").variables["caller"]["text"]
    nobody = about(language, settings, caller_name="", caller_number="").variables["caller"]["text"]
    assert (number, nobody) == ("+12025550143", words.UNKNOWN_CALLERS[language])


@pytest.mark.parametrize(("seconds", "said"), [(0, "0 s"), (59.6, "1 min"), (3723, "1 h 2 min 3 s"), (3600, "1 h")])
def test_lengths(seconds: float, said: str) -> None:
    assert words.length(seconds, "en") == said
    assert words.length(seconds, "ja") == said.replace(" h", "時間").replace(" min", "分").replace(" s", "秒").replace(
        " ", ""
    )


def test_an_urgent_one_says_so_everywhere(settings: Settings) -> None:
    for language in LANGUAGES:
        plain, urgent = (
            compose(about(language, settings, urgent=flag), "a@example.com", settings, key="k")
            for flag in (False, True)
        )
        assert plain.subject != urgent.subject
        assert (plain.body, plain.html) != (urgent.body, urgent.html)
        assert parse(urgent.as_bytes())["Importance"] == "high"


def test_own_templates_win(settings: Settings) -> None:
    own = templates.folder_of(settings) / "en"
    own.mkdir(parents=True)
    (own / "message.subject.txt").write_text("{{ caller.number }}\nrang at {{ received_at.strftime('%H:%M') }}\n")
    (own / "message.html").write_text(
        "{% extends 'layout.html' %}{% block content %}<b>{{ caller.name }}</b>{% endblock %}"
    )
    (own / "locked.html").write_text("<p>{{ until }}</p>")
    texts = rendered(settings, about("en", settings, caller_name="<i>Eve</i>"))
    assert texts.subject == "+12025550143 rang at 00:05"
    assert "<b>&lt;i&gt;Eve&lt;/i&gt;</b>" in texts.html
    assert texts.text.startswith("New message for mailbox 1001")
    assert rendered(settings, facts.example("locked", box(), settings)).html.startswith("<p>")
    assert texts.problems == ()
    # Another language still has its own.
    assert rendered(settings, about("fr", settings)).subject.startswith("Nouveau message")


@pytest.mark.parametrize(
    "broken",
    [
        "{{ caler.number }}",
        "{{ caller.number",
        "{% include 'nothing.txt' %}",
        "{{ 1 // 0 }}",
        "{{ caller.__class__.__mro__ }}",
        "{% for n in range(10000000) %}x{% endfor %}",
        "{{ caller.update({'text': 'x'}) }}",
    ],
)
def test_a_broken_template_gives_way_and_is_logged(
    settings: Settings, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    own = templates.folder_of(settings) / "en"
    own.mkdir(parents=True)
    for name in ("message.subject.txt", "message.txt", "message.html"):
        (own / name).write_text(broken)
    with caplog.at_level(logging.WARNING):
        texts = rendered(settings, about("en", settings))
    assert texts.subject == SUBJECTS["en"]
    assert "New message" in texts.html
    assert len(texts.problems) == 3
    assert "the mail template en/message.subject.txt" in caplog.text


def test_a_template_that_is_no_text_and_one_that_changes(settings: Settings) -> None:
    own = templates.folder_of(settings) / "en"
    own.mkdir(parents=True)
    file = own / "message.subject.txt"
    file.write_bytes(b"\xff\xfe\x00")
    assert rendered(settings, about("en", settings)).subject == SUBJECTS["en"]
    file.write_text("One")
    assert rendered(settings, about("en", settings)).subject == "One"
    # One that appears beside the others, and one that goes.
    file.unlink()
    (own / "message.txt").write_text("Two")
    texts = rendered(settings, about("en", settings))
    assert (texts.subject, texts.text) == (SUBJECTS["en"], "Two\n")


@pytest.mark.parametrize("subject", ["x" * 200, "王" * 200, "é x " * 50, "a" * 70 + " 𝕰" * 60])
def test_long_subjects_survive(settings: Settings, subject: str) -> None:
    own = templates.folder_of(settings) / "en"
    own.mkdir(parents=True)
    (own / "message.subject.txt").write_text(subject, encoding="utf-8")
    for address in ("anna@example.com", "zoë@example.com"):
        content = compose(about("en", settings), address, settings, key="k").as_bytes()
        assert parse(content)["Subject"] == " ".join(subject.split())[:200]
        assert max(map(len, content.split(b"\r\n"))) <= 998
        assert b"\n" not in content.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "address",
    ["a..b@docomo.example", ".dot@example.com", "o'neil+box/1@example.com", "x=y#z@example.com", "a@localhost"],
)
def test_addresses_that_people_have(settings: Settings, address: str) -> None:
    mail = parse(compose(about("en", settings), address, settings, key="k").as_bytes())
    (to,) = mail["To"].addresses
    assert f"{to.username}@{to.domain}" == address


def rendered(settings: Settings, what: facts.Facts) -> Texts:
    return templates.render(settings, what.language, what.kind, {**what.variables, "attached": "", "too_large": False})
