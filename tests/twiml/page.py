"""`python -m tests.twiml.page` writes the tables of docs/twiml.md: from the table of verbs, and the rules of its tests.

A table stands between two marks, `<!-- NAME -->` and `<!-- end of NAME -->`; what stands outside is written by hand.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests.twiml import test_attributes
from voice.twiml.codes import ERRORS, NOTICES
from voice.twiml.kinds import Attribute, Kind, Support
from voice.twiml.table import NOT_YET, VERBS, Verb

PAGE = Path(__file__).resolve().parents[2] / "docs" / "twiml.md"
SPEECH = "test_speech"


def snake(name: str) -> str:
    """finishOnKey as the name of a test has it: finish_on_key."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def rule(verb: str, attribute: str) -> str:
    """The docstring of the attribute's test; AttributeError where there is no test of it."""
    tests = getattr(test_attributes, f"Test{verb}")
    test = getattr(tests, f"test_{snake(attribute)}", None) or getattr(tests, SPEECH)
    return " ".join((test.__doc__ or "").split())


def verbs() -> str:
    """What there is, at a glance."""
    rows = [
        (f"[`<{verb.name}>`](#{verb.name.lower()})", verb.meaning, _support(verb.support, verb.how))
        if verb.page
        else (f"[`<{verb.name}>`](#{verb.name.lower()})", verb.meaning, "ours")
        for verb in VERBS.values()
    ]
    rows += [(f"`<{name}>`", meaning, "not yet") for name, meaning in NOT_YET.items()]
    return _table(("verb", "does", "support"), rows)


def attributes() -> str:
    """A section for each verb."""
    return "\n\n".join(_section(verb) for verb in VERBS.values())


def _section(verb: Verb) -> str:
    lines = [f"### {verb.name}", "", f"{verb.meaning}. {_source(verb)}"]
    lines += [f"In it stands {verb.text}."] if verb.text else []
    lines += [f"{', '.join(verb.children)} may be nested."] if verb.children else []
    rows = [_row(verb, row) for row in verb.attributes if row.support is not Support.NOT_YET]
    if rows:
        lines += ["", _table(("attribute", "values", "default", "means", "support"), rows)]
    later = [row for row in verb.attributes if row.support is Support.NOT_YET]
    if later:
        lines += ["", f"Not yet, and left out with a notice: {', '.join(f'`{row.name}`' for row in later)}."]
    lines += ["", "How it behaves, a test for each line:", "", *tried(verb.name)]
    return "\n".join(lines)


def tried(verb: str) -> list[str]:
    """A line for each test of the verb in a call: its name, and the rule that it quotes."""
    tests = [
        test
        for file in sorted(Path(__file__).parent.glob("test_verbs_*.py"))
        for group in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(group, ast.ClassDef) and group.name == f"Test{verb}"
        for test in group.body
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
    ]
    return [_line(test.name, _plain(ast.get_docstring(test) or ""), VERBS[verb]) for test in tests]


def _line(name: str, text: str, verb: Verb) -> str:
    """The rule behind the name of the attribute that it begins with, or of its test."""
    first = re.split("[: ]", text, maxsplit=1)[0]
    if verb.attribute(first):
        return f"- `{first}`{text.removeprefix(first)}"
    return f"- {name.removeprefix('test_').replace('_', ' ')}: {text}".rstrip(" :")


def _plain(text: str) -> str:
    """As Markdown shows it without meaning anything by it."""
    return " ".join(text.split()).replace("*", "\\*").replace("<", "&lt;")


def _source(verb: Verb) -> str:
    return f"[Twilio's page]({verb.page})." if verb.page else "Ours."


def _row(verb: Verb, row: Attribute) -> tuple[str, ...]:
    means = f"{row.meaning}. {rule(verb.name, row.name)}".strip()
    support = "ours" if row.ours else _support(row.support, row.how)
    return f"`{row.name}`", _values(row), _default(row), means, support


def _values(row: Attribute) -> str:
    if row.kind in (Kind.CHOICE, Kind.CHOICES):
        return ", ".join(f"`{choice}`" for choice in row.choices)
    return row.expected()


def _default(row: Attribute) -> str:
    if row.shown or row.default == "":
        return row.shown or "none"
    value = " ".join(row.default) if isinstance(row.default, tuple) else str(row.default)
    return f"`{value.lower() if isinstance(row.default, bool) else value}`"


def _support(support: Support, how: str) -> str:
    return f"{support}: {how}" if how else str(support)


def errors() -> str:
    """The numbers of what ends a document."""
    return _numbers(ERRORS)


def notices() -> str:
    """The numbers of what is only noticed."""
    return _numbers(NOTICES)


def _numbers(numbers: dict[int, str]) -> str:
    rows = [
        (f"[{code}](https://www.twilio.com/docs/api/errors/{code})", text) for code, text in sorted(numbers.items())
    ]
    return _table(("number", "means"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


BLOCKS: dict[str, Callable[[], str]] = {
    "verbs": verbs, "attributes": attributes, "errors": errors, "notices": notices,
}  # fmt: skip


def made(text: str) -> str:
    """The page with its tables made anew; ValueError where a mark is missing."""
    for name, block in BLOCKS.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise ValueError(f"docs/twiml.md has no {start} ... {end}")
        before, rest = text.split(start)
        text = f"{before}{start}\n\n{block()}\n\n{end}{rest.split(end)[1]}"
    return text


def main() -> int:
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
