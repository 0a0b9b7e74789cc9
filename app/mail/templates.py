"""The texts of mails: files of INSTANCE/templates/mail over those of app/templates/mail.

For each language and kind: KIND.subject.txt, KIND.txt, and KIND.html, in whose place notice.html may stand.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.config import PROJECT_ROOT, Settings

log = logging.getLogger(__name__)
BUILT_IN = PROJECT_ROOT / "app" / "templates" / "mail"
# In characters: of at most four bytes each, they fit into one line of a header.
LONGEST_SUBJECT = 200
NOTICE = "notice.html"


@dataclass(frozen=True)
class Texts:
    """A mail's words. problems: a line for each template of the instance that is broken and was not used."""

    subject: str
    text: str
    html: str
    problems: tuple[str, ...] = ()


def folder_of(settings: Settings) -> Path:
    """Where the installation's own templates lie, if it has any."""
    return settings.instance / "templates" / "mail"


def render(settings: Settings, language: str, kind: str, variables: Mapping[str, Any]) -> Texts:
    """The texts of a mail. A broken template of the instance gives way to the built-in one, and is logged."""
    own, problems = folder_of(settings), []

    def one(*names: str, **more: Any) -> str:
        if own.is_dir():
            try:
                return _rendered(own, names, {**variables, **more})
            # A template is a program of somebody else: whatever it does, the mail goes out.
            except Exception as error:  # noqa: BLE001
                said = " ".join(f"{type(error).__name__}: {error}".split())
                problems.append(f"{names[0]}: {said}")
                log.warning("the mail template %s of %s is broken, the built-in one is used: %s", names[0], own, said)
        return _rendered(None, names, {**variables, **more})

    base = f"{language}/{kind}"
    subject = _one_line(one(f"{base}.subject.txt"))
    text = one(f"{base}.txt").strip() + "\n"
    html = one(f"{base}.html", NOTICE, subject=subject, text=text)
    return Texts(subject, text, html, tuple(problems))


def _rendered(own: Path | None, names: tuple[str, ...], variables: dict[str, Any]) -> str:
    environment = _environment(own)
    for name in names[:-1]:
        try:
            return environment.get_template(name).render(variables)
        except TemplateNotFound as error:
            if error.name != name:
                raise
    return environment.get_template(names[-1]).render(variables)


@cache
def _environment(own: Path | None) -> ImmutableSandboxedEnvironment:
    folders = [folder for folder in (own, BUILT_IN) if folder]
    # A file that appears beside a built-in one would not be noticed by a cache.
    cache_size = 0 if own else 400
    return ImmutableSandboxedEnvironment(
        cache_size=cache_size,
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _one_line(text: str) -> str:
    """A subject as a header may hold it: one line, without control characters and what turns the writing around."""
    kept = "".join(" " if character.isspace() else character for character in text)
    kept = "".join(character for character in kept if unicodedata.category(character) not in ("Cc", "Cf", "Cs"))
    return " ".join(kept.split())[:LONGEST_SUBJECT]
