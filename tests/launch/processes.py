"""What the tests of app/launch share: programs that can be recognised, and which of them live."""

from __future__ import annotations

from pathlib import Path


def living(mark: str) -> dict[int, str]:
    """Processes whose command line holds `mark`, by pid; zombies do not count."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
        if mark in command:
            found[int(folder.name)] = command
    return found


def descendants(pid: int) -> set[int]:
    """All processes below a process."""
    try:
        children = {
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        }
    except OSError:
        return set()
    return children.union(*(descendants(child) for child in children))


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
