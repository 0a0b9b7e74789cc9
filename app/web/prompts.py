"""Prompts of the system: the list, a prompt in all its languages, and custom ones in place of the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.config import LANGUAGES
from app.errors import Invalid, NotFound, Unavailable
from app.services import prompt_list, prompts
from app.services.context import settings
from app.services.prompt_list import Fault, Row
from app.web import htmx, notices
from app.web.access import actor, admin_required
from app.web.audio import audio_response
from app.web.forms import PromptForm
from app.web.words import language_name

blueprint = Blueprint("prompts", __name__, url_prefix="/console/voicemail/prompts")
NO_FILE = "Choose a sound file: WAV, MP3, Ogg or FLAC."
HIGHEST_PAGE = 1_000_000
GROUP_TITLES = {
    "leave": "Leaving a message",
    "login": "Logging in",
    "menu": "Main menu",
    "messages": "Hearing messages",
    "forward": "Forwarding",
    "pin": "Changing the PIN",
    "greetings": "Recording greetings",
    "keys": "Keys",
    "limits": "Limits",
    "programmed": "Programmed calls",
    "words": "Numbers, days and times",
    "test": "Test call",
}
PROBLEM_WORDS = {
    "missing": "has no sound for it, so another language plays",
    "unplayable": "cannot play its sound, so another one plays",
}


@blueprint.get("")
@admin_required
def index() -> AnyResponse:
    """The list of one language; HTMX gets its rows."""
    language = request.args.get("language", "")
    language = language if language in LANGUAGES else settings().language
    group = request.args.get("group", "")
    group = group if group in prompt_list.groups() else ""
    search, show = request.args.get("search", "")[:100], request.args.get("show", "")
    page = min(request.args.get("page", 1, type=int), HIGHEST_PAGE)
    faults, away = _faults()
    context: dict[str, Any] = {
        "listing": prompt_list.page(language, faults, search=search, group=group, show=show, page=page),
        "chosen": {"language": language, "group": group, "show": show, "search": search},
        # Several workers may say the same.
        "faults": list({(fault.language, fault.name): fault for fault in faults}.values()),
        "away": away,
    }
    if htmx.wanted():
        return htmx.answer(render_template("prompts/_list.html", **context))
    titles = {one: group_title(one) for one in prompt_list.groups()}
    return htmx.answer(render_template("prompts/index.html", group_titles=titles, languages=LANGUAGES, **context))


@blueprint.get("/<prompt:name>")
@admin_required
def show(name: str) -> AnyResponse:
    """A prompt in all its languages."""
    return _page(name)


@blueprint.get("/<prompt:name>/<language:language>/audio")
@admin_required
def audio(name: str, language: str) -> AnyResponse:
    """What plays now, or, with default=1, what plays without a custom prompt."""
    own = None if request.args.get("default") else prompts.find(name, language)
    source = prompts.open_custom(own) if own else prompts.open_default(name, language)
    return audio_response(source, f"{name}-{language}.wav", download=bool(request.args.get("download")))


@blueprint.post("/<prompt:name>/<language:language>")
@admin_required
def upload(name: str, language: str) -> AnyResponse:
    """Take a sound file as the prompt."""
    _row_of(name, language)
    form, file = PromptForm(), request.files.get("sound")
    if not form.validate_on_submit() or file is None or not file.filename:
        form.sound.errors = [NO_FILE]
        return _refused(name, language, form)
    try:
        prompts.set_custom(name, language, file.stream, actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _refused(name, language, form)
    notices.tell(f"Callers hear the new prompt in {language_name(language)} in a moment.")
    return _changed(name, language)


@blueprint.post("/<prompt:name>/<language:language>/remove")
@admin_required
def remove(name: str, language: str) -> AnyResponse:
    """Let the default prompt play again."""
    prompts.remove_custom(name, language, actor=actor())
    notices.tell(f"Callers hear the default prompt in {language_name(language)} again in a moment.")
    return _changed(name, language)


def group_title(group: str) -> str:
    """The part of the conversation in words."""
    return GROUP_TITLES.get(group, group.replace("_", " ").capitalize())


def _changed(name: str, language: str) -> AnyResponse:
    """The card as it is after an act, or the page again."""
    if not htmx.wanted():
        return htmx.go(url_for("prompts.show", name=name, _anchor=f"prompt-{language}"))
    card = render_template("prompts/_card.html", focus=True, **_card(_row_of(name, language), PromptForm(None)))
    return htmx.answer(card + render_template("_notices_beside.html"))


def _refused(name: str, language: str, form: PromptForm) -> AnyResponse:
    if not htmx.wanted():
        return _page(name, {language: form}, 422)
    return htmx.answer(render_template("prompts/_card.html", **_card(_row_of(name, language), form)), 422)


def _page(name: str, forms: Mapping[str, PromptForm] | None = None, status: int = 200) -> AnyResponse:
    faults, _ = _faults()
    rows = prompt_list.in_all_languages(name, faults)
    cards = [_card(row, (forms or {}).get(row.language) or PromptForm(None)) for row in rows]
    entry = prompts.get(name)
    without = [language_name(language) for language in LANGUAGES if language not in entry.texts]
    context = {"entry": entry, "cards": cards, "without": without, "group_title": group_title(entry.group)}
    return htmx.answer(render_template("prompts/page.html", **context), status)


def _card(row: Row, form: PromptForm) -> dict[str, Any]:
    # A page has a form for each language.
    form.sound.id = f"sound-{row.language}"
    return {
        "row": row,
        "form": form,
        "longest": prompts.LONGEST_SECONDS,
        "zone": settings().timezone,
        "problem_words": PROBLEM_WORDS,
    }


def _row_of(name: str, language: str) -> Row:
    faults, _ = _faults()
    for row in prompt_list.in_all_languages(name, faults):
        if row.language == language:
            return row
    raise NotFound("There is no such prompt in this language.")


def _faults() -> tuple[list[Fault], str]:
    """What voice workers complain of, and why nobody knows where that is so."""
    try:
        return prompt_list.reported(), ""
    except Unavailable as error:
        return [], error.message
