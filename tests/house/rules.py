"""The import rules of docs/architecture.md, read from the syntax trees of the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
ENQUEUE = {"enqueue", "enqueue_call", "enqueue_many", "enqueue_at", "enqueue_in", "enqueue_job"}
LEAVES = {"app.account", "app.config", "app.decoding", "app.net"}
ALLOWED = {
    ("voice.media.stream", "pyVoIP.VoIP"),  # nothing of it is used: pyVoIP can only be imported in this order
    ("voice.sip.session", "pyVoIP.RTP.PayloadType"),  # the codecs' names, of which SDP speaks
}
DOORS = {"voice.store", "voice.take_store", "voice.owner_store", "voice.jobs"}


@dataclass(frozen=True)
class Source:
    """A module: its dotted name and its text."""

    module: str
    text: str

    @classmethod
    def of(cls, path: Path, root: Path) -> Source:
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        return cls(name, path.read_text(encoding="utf-8"))


def sources(root: Path) -> list[Source]:
    """The product's own modules."""
    paths = [*root.glob("app/**/*.py"), *root.glob("voice/**/*.py"), *root.glob("*.py"), *root.glob("migrations/*.py")]
    return [Source.of(path, root) for path in sorted(paths)]


def broken_rules(source: Source) -> list[str]:
    """A sentence for each line that breaks a rule."""
    tree = ast.parse(source.text)
    found = [
        f"{source.module}:{line} {rule}" for line, name in imports(tree) for rule in _import_rules(source.module, name)
    ]
    if source.module != "app.config":
        found += [f"{source.module}:{line} only app.config reads the environment" for line in environment_uses(tree)]
    if source.module != "app.jobs.queue":
        found += [f"{source.module}:{line} only app.jobs.queue enqueues" for line in enqueues(tree)]
    return found


def _import_rules(module: str, name: str) -> Iterator[str]:
    if inside(module, "app") and inside(name, "voice"):
        yield "app never imports voice"
    if inside(module, "voice") and inside(name, "app") and module not in DOORS and not _leaf(name):
        yield f"only {', '.join(sorted(DOORS))} reach {name}"
    if inside(name, "pyVoIP") and (module, name) not in ALLOWED:
        room = "voice.media" if inside(name, "pyVoIP.RTP") else "voice.sip"
        if not inside(module, room):
            yield f"only {room} imports {name}"


def _leaf(name: str) -> bool:
    return any(inside(name, leaf) for leaf in LEAVES)


def inside(name: str, package: str) -> bool:
    """Whether a dotted name is the package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything imported, in functions and by import_module() too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Relative imports are refused, so a name is always whole.
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            given = [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
            yield from ((node.lineno, name) for name in given if isinstance(name, str))


def environment_uses(tree: ast.AST) -> list[int]:
    """Lines that touch os.environ or its kin, however os was imported."""
    modules = {
        alias.asname or "os"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "os"
    }
    return [node.lineno for node in ast.walk(tree) if _touches_environment(node, modules)]


def _touches_environment(node: ast.AST, os_names: set[str]) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(alias.name in ENVIRONMENT for alias in node.names)
    return isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT and _name(node.value) in os_names


def enqueues(tree: ast.AST) -> list[int]:
    """Lines that call an enqueuing method of RQ, or make a function a job by decorator."""
    calls = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) in ENQUEUE]
    return calls + [line for line, name in imports(tree) if inside(name, "rq.decorators")]


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else _name(node.func)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
