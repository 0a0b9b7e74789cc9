"""The store of recordings at a terminal: flask --app wsgi storage test | verify."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from flask import current_app
from flask.cli import AppGroup

from app.cli import told
from app.services import verify
from app.services.store_test import try_store
from app.services.verify import FAULTS, Away, Finding, State

storage_commands = AppGroup("storage", help="The store of recordings.")
STOPPED = 130
PLURALS = {"message": "messages", "greeting": "greetings", "prompt": "prompts", "recording": "recordings"}
Seen = Callable[[Finding], None]


@storage_commands.command("test")
def test_store() -> None:
    """Write, read and delete an object in the store, and say which step fails."""
    report = try_store(current_app.extensions["settings"])
    click.echo(f"{report.sentence}.", err=not report.works)
    if report.advice:
        click.echo(f"{report.advice}.", err=True)
    sys.exit(0 if report.works else 1)


@storage_commands.command("verify")
@click.option("--mailbox", "extension", help="Only the messages and greetings of this mailbox.")
@told
def verify_store(extension: str | None) -> None:
    """Read every message, greeting, prompt and recording in the store, and say which are missing, damaged or unknown.

    Nothing is changed. The exit code is 0 only where all is well.
    """
    mailbox_id = verify.mailbox_id_of(extension)
    total = verify.count(mailbox_id)
    counted: Counter[tuple[State, str]] = Counter()
    hosts: Counter[str] = Counter()
    stopped = ""
    try:
        with _shown(total) as seen:
            for finding in verify.look(mailbox_id):
                counted[finding.state, finding.what] += 1
                hosts[finding.host] += finding.state is State.SPOOL
                seen(finding)
        for finding in verify.unknown(mailbox_id):
            counted[finding.state, finding.what] += 1
            click.echo(f"{finding.state}: {finding.said}")
    except Away as error:
        stopped = f"The store cannot be read: {error}"
    except KeyboardInterrupt:
        # After the ^C of the terminal, or in the middle of a line.
        click.echo(err=True)
        stopped = "Stopped."
    _summary(counted, +hosts, total if stopped else 0)
    if stopped:
        click.echo(f"{stopped} This is not the whole: try again.", err=True)
    if stopped == "Stopped.":
        sys.exit(STOPPED)
    sys.exit(1 if stopped or _faults(counted) else 0)


@contextmanager
def _shown(total: int) -> Iterator[Seen]:
    """What shows each finding: a line for each fault, and a bar above which they stand where somebody looks on."""

    def say(finding: Finding) -> None:
        if finding.state in FAULTS:
            click.echo(f"{finding.state}: {finding.said}")

    if not sys.stderr.isatty():
        yield say
        return
    with click.progressbar(length=total, label="Verifying", show_pos=True, file=sys.stderr) as bar:

        def show(finding: Finding) -> None:
            if finding.state in FAULTS:
                click.echo("\r\x1b[2K", file=sys.stderr, nl=False)
                say(finding)
            bar.update(1)

        yield show


def _summary(counted: Counter[tuple[State, str]], hosts: Counter[str], total: int) -> None:
    """total: how many there were to look at, where that did not come to its end."""
    looked_at = Counter[str]()
    for (state, what), number in counted.items():
        looked_at[what] += number if state in (State.GOOD, *FAULTS) else 0
    words = [_number(looked_at[what], what) for what in PLURALS if looked_at[what]]
    done = sum(number for (state, _), number in counted.items() if state is not State.UNKNOWN)
    rest = f" {total - done} were not looked at." if done < total else ""
    faults = _faults(counted)
    click.echo(f"{', '.join(words) or 'Nothing'} in the store: {', '.join(faults) or 'all is well'}.{rest}")
    if hosts:
        where = ", ".join(f"{host}: {number}" for host, number in sorted(hosts.items()))
        spooled = [_number(counted[State.SPOOL, what], what) for what in PLURALS if counted[State.SPOOL, what]]
        click.echo(f"{', '.join(spooled)} only in a spool as yet ({where}).")


def _faults(counted: Counter[tuple[State, str]]) -> list[str]:
    """The kinds of faults, with how many of each."""
    numbers = Counter[State]()
    for (state, _), number in counted.items():
        numbers[state] += number
    return [f"{numbers[state]} {state}" for state in FAULTS if numbers[state]]


def _number(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else PLURALS[what]}"
