"""The list of prompts as people look through it: by language, part of the conversation, words; with what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.config import LANGUAGES
from app.services import fields, prompts, workers
from app.services.prompts import CustomPrompt, Entry, Origin

PER_PAGE = 25
SHOW_ALL, SHOW_CUSTOM, SHOW_FAULTY = "", "custom", "faulty"
MAX_REPORTS = 500


@dataclass(frozen=True)
class Fault:
    """What a voice worker says of a prompt. problem: "missing" (another language plays) or "unplayable"."""

    name: str
    language: str
    problem: str
    worker: str


@dataclass(frozen=True)
class Row:
    """A prompt in one language: where its sound comes from, and what is wrong with it."""

    entry: Entry
    language: str
    origin: Origin
    custom: CustomPrompt | None
    faults: tuple[Fault, ...] = ()

    @property
    def text(self) -> str:
        return self.entry.texts[self.language]


@dataclass(frozen=True)
class Page:
    """A part of the list. page: from 1; pages: at least 1; total: prompts that match."""

    items: list[Row]
    page: int
    pages: int
    total: int


def groups() -> list[str]:
    """The parts of the conversation that prompts belong to, in the order of the file."""
    return list(dict.fromkeys(entry.group for entry in prompts.catalogue().values()))


def page(
    language: str, faults: Sequence[Fault], *, search: str = "", group: str = "", show: str = "", page: int = 1
) -> Page:
    """Prompts of a language whose name, moment or text in any language contains the words.

    faults: as reported() has them. show: custom (those that were uploaded), or faulty (those that this host misses,
    or of which a voice worker complains).
    """
    words = fields.searchable(search).casefold()
    wanted = [entry for entry in prompts.catalogue().values() if language in entry.texts and _matches(entry, words)]
    wanted = [entry for entry in wanted if group in ("", entry.group)]
    rows = [row for row in _rows(wanted, (language,), faults) if _shown(row, show)]
    pages = max(1, -(-len(rows) // PER_PAGE))
    page = max(1, min(page, pages))
    return Page(rows[(page - 1) * PER_PAGE : page * PER_PAGE], page, pages, len(rows))


def in_all_languages(name: str, faults: Sequence[Fault] = ()) -> list[Row]:
    """A prompt in each language that has it; NotFound."""
    return _rows([prompts.get(name)], LANGUAGES, faults)


def reported() -> list[Fault]:
    """What voice workers say of prompts, in their heartbeats; Unavailable where Redis is away.

    "prompts" of a heartbeat is a list of {"name", "language", "problem"}.
    """
    found = []
    for worker in workers.live():
        listed = worker.get("prompts")
        for one in listed[:MAX_REPORTS] if isinstance(listed, list) else ():
            fault = _fault(one, f"{worker.get('host')}:{worker.get('sip_port')}")
            if fault is not None:
                found.append(fault)
    return found


def _fault(row: Any, worker: str) -> Fault | None:
    """A report that names a prompt of this version, else None: the worker may be of another one."""
    if not isinstance(row, dict):
        return None
    entry = prompts.catalogue().get(str(row.get("name")))
    language = str(row.get("language"))
    if entry is None or language not in entry.texts:
        return None
    return Fault(entry.name, language, str(row.get("problem")), worker)


def _rows(entries: Iterable[Entry], languages: Iterable[str], faults: Sequence[Fault]) -> list[Row]:
    customs = {(one.name, one.language): one for one in prompts.custom()}
    return [
        _row(entry, language, customs.get((entry.name, language)), faults)
        for entry in entries
        for language in languages
        if language in entry.texts
    ]


def _row(entry: Entry, language: str, custom: CustomPrompt | None, faults: Sequence[Fault]) -> Row:
    origin = Origin.CUSTOM if custom else prompts.default_of(entry.name, language)[1]
    own = tuple(fault for fault in faults if (fault.name, fault.language) == (entry.name, language))
    return Row(entry, language, origin, custom, own)


def _shown(row: Row, show: str) -> bool:
    if show == SHOW_CUSTOM:
        return row.custom is not None
    return show != SHOW_FAULTY or row.origin is Origin.MISSING or bool(row.faults)


def _matches(entry: Entry, words: str) -> bool:
    return any(words in text.casefold() for text in (entry.name, entry.when, *entry.texts.values()))
