"""docs/sip.md and docs/pyvoip.md say of pyVoIP what is so: methods kept and replaced, faults and their tests."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from app.config import PROJECT_ROOT
from voice.media.stream import MediaStream
from voice.sip import Phone, SipCall, SipMessage
from voice.sip.client import SipClient

OURS: dict[str, type[Any]] = {
    "VoIPPhone": Phone,
    "VoIPCall": SipCall,
    "SIPClient": SipClient,
    "SIPMessage": SipMessage,
    "RTPClient": MediaStream,
}
FAULTS = (PROJECT_ROOT / "docs" / "pyvoip.md").read_text(encoding="utf-8")
PLAIN = "tests/pyvoip/test_plain_faults.py"
ENDS_OR_BLOCKS = 10


def page() -> dict[str, tuple[str, set[str], set[str], set[str]]]:
    """The table of docs/sip.md: by class of pyVoIP ours, and the methods extended, replaced, used as they are."""
    text = (PROJECT_ROOT / "docs" / "sip.md").read_text(encoding="utf-8").partition("## pyVoIP\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    names = [[set(re.findall(r"`(\w+)`", cell)) for cell in row] for row in rows[2:]]
    return {next(iter(row[0])): (next(iter(row[1])), *row[2:5]) for row in names}  # type: ignore[misc]


def theirs(ours: type[Any]) -> type[Any]:
    """The class of pyVoIP that ours extends."""
    return next(one for one in ours.__mro__ if one.__module__.startswith("pyVoIP."))


def overridden(ours: type[Any]) -> dict[str, bool]:
    """Methods of pyVoIP's class that ours has as well, and whether ours calls them."""
    base = theirs(ours)
    names = [name for name, value in vars(ours).items() if inspect.isfunction(value) and name in vars(base)]
    return {name: f"super().{name}(" in inspect.getsource(getattr(ours, name)) for name in names}


@pytest.mark.parametrize("base", OURS)
def test_what_is_kept_and_replaced(base: str) -> None:
    ours = OURS[base]
    assert theirs(ours).__name__ == base
    name, extended, replaced, used = page()[base]
    found = overridden(ours)
    assert name == ours.__name__
    assert extended == {method for method, calls in found.items() if calls}
    assert replaced == {method for method, calls in found.items() if not calls}
    assert all(inspect.isfunction(vars(theirs(ours))[method]) for method in used)
    assert not used & set(found)


def test_no_other_method_of_pyvoip_is_used() -> None:
    """Names with an underscore in them, which stand for nothing else in our code."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "voice").rglob("*.py"))
    for base, (_, extended, replaced, used) in page().items():
        methods = {name for name, value in vars(theirs(OURS[base])).items() if inspect.isfunction(value)}
        others = {name for name in methods - extended - replaced - used if "_" in name.strip("_")}
        assert [name for name in sorted(others) if re.search(rf"[.]{name}\(", code)] == [], base
        assert [name for name in sorted(used) if not re.search(rf"[.]{name}\(", code)] == [], base


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return re.search(rf"^def {name}\(", (PROJECT_ROOT / path).read_text(encoding="utf-8"), re.M) is not None


def rows(section: str) -> list[list[str]]:
    """Where, fault, our tests, and where there is one the test on pyVoIP."""
    text = FAULTS.partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("section", ["It ends or blocks", "Audio", "SIP"])
def test_each_fault_has_a_test(section: str) -> None:
    found = rows(section)
    assert found
    for row in found:
        tests = re.findall(r"`(tests/[^`]+)`", row[2])
        assert tests, row
        assert [test for test in tests if not exists(test)] == []


def test_what_ends_or_blocks_is_shown_on_pyvoip() -> None:
    shown = [name for row in rows("It ends or blocks") for name in re.findall(r"`(test_\w+)`", row[3])]
    assert len(shown) == len(rows("It ends or blocks")) == ENDS_OR_BLOCKS
    assert [name for name in shown if not exists(f"{PLAIN}::{name}")] == []
    assert set(re.findall(r"^def (test_\w+)", (PROJECT_ROOT / PLAIN).read_text(encoding="utf-8"), re.M)) == set(shown)


def test_what_python_3_13_lacks_is_required() -> None:
    lines = (PROJECT_ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert any(re.match(r"audioop-lts==.*python_version *>= *.3\.13", line) for line in lines)
