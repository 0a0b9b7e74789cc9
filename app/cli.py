"""Administration at a terminal: flask --app wsgi user | mailbox | token | number | account | storage | doctor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from app.config import LANGUAGES
from app.errors import AppError
from app.services import mailboxes, phone_access, tokens, users
from app.services.mailbox_options import Options

ACTOR = "command line"
P = ParamSpec("P")
R = TypeVar("R")
user_commands = AppGroup("user", help="People of the portal.")
mailbox_commands = AppGroup("mailbox", help="Mailboxes.")
token_commands = AppGroup("token", help="Bearer tokens of programs.")


def register(app: Flask) -> None:
    """Add the commands to `flask`."""
    from app.cli_numbers import account_commands, number_commands
    from app.cli_storage import storage_commands

    ours = (user_commands, mailbox_commands, token_commands, number_commands, account_commands, storage_commands)
    for group in ours:
        app.cli.add_command(group)
    app.cli.add_command(doctor)


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Say an AppError, or that the database does not do its part, in one line and exit with 1."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except AppError as error:
            click.echo(error.message, err=True)
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0]
            click.echo(f"The database: {reason}. See: flask --app wsgi doctor", err=True)
        sys.exit(1)

    return wrapper


@user_commands.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(["admin", "staff"]), default="admin", show_default=True)
@click.option("--password", help="Asked for where it is not given.")
@told
def add_user(name: str, role: str, password: str | None) -> None:
    """Add a person who may log in to the portal."""
    password = password or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    users.create(name, password, role, actor=ACTOR)
    click.echo(f"User {name} ({role}) may log in.")


@mailbox_commands.command("add")
@click.argument("extension")
@click.option("--pin", required=True, help="4 to 8 digits.")
@click.option("--name", default="")
@click.option("--email", default="")
@click.option("--language", type=click.Choice(LANGUAGES), default=None)
@click.option("--timezone", default="")
@click.option("--alias", "aliases", multiple=True, help="A number that leads to it too; may be given several times.")
@click.option("--operator", default="", help="Where key 0 leads to.")
@click.option("--announcement-only", is_flag=True, help="It plays a greeting and takes no messages.")
@click.option("--trusts-own-phone", is_flag=True, help="No PIN is asked for at its own phone.")
@click.option("--envelope/--no-envelope", "speaks_envelope", default=None, help="When and from whom, before messages.")
@click.option("--review/--no-review", default=None, help="Callers may listen to their message, or record it again.")
@click.option("--mail-attachment", default="", help="none, wav or mp3.")
@click.option("--after-mailing", default="keep", show_default=True, help="keep, read or trash.")
@click.option("--max-messages", default="", help="Messages that it holds.")
@click.option("--max-seconds", default="", help="Seconds that all its messages last at most.")
@click.option("--max-duration", default="", help="Longest message, seconds.")
@click.option("--silence-timeout", default="", help="Silence that ends a message, seconds.")
@click.option("--min-speech", default="", help="Speech that a message needs, seconds.")
@click.option("--new-days", default="", help="Days until new messages go to the trash; 0: never.")
@click.option("--saved-days", default="", help="The same for saved messages.")
@click.option("--trash-days", default="", help="Days that the trash keeps messages.")
@told
def add_mailbox(
    extension: str, pin: str, name: str, email: str, language: str | None, timezone: str, **options: Any
) -> None:
    """Add a mailbox; what is left out is as in the settings."""
    box = mailboxes.create(
        extension,
        pin=pin,
        name=name,
        email=email,
        language=language or "",
        timezone=timezone,
        options=Options(**options | {"aliases": " ".join(options["aliases"])}),
        actor=ACTOR,
    )
    click.echo(f"Mailbox {box.extension} {'plays its greeting' if box.announcement_only else 'takes messages'}.")


@mailbox_commands.command("unlock")
@click.argument("extension")
@told
def unlock_mailbox(extension: str) -> None:
    """End the lock that wrong PINs put on a mailbox's telephone access."""
    phone_access.unlock(extension, actor=ACTOR)
    click.echo(f"The owner of mailbox {extension} may log in by phone.")


@mailbox_commands.command("list")
@told
def list_mailboxes() -> None:
    """List mailboxes: extension, new and saved messages, name."""
    number = 1
    while True:
        page = mailboxes.page(page=number, per_page=mailboxes.MAX_PER_PAGE)
        for row in page.items:
            box = row.mailbox
            click.echo(f"{box.extension:<20} {row.new_count:>5} new {row.saved_count:>5} saved  {box.name}".rstrip())
        number += 1
        if number > page.pages:
            break
    if not page.total:
        click.echo("There are no mailboxes yet; add one: flask --app wsgi mailbox add 1001 --pin PIN", err=True)


@token_commands.command("add")
@click.argument("name")
@click.option("--extension", default=None, help="The one mailbox that the token may see; all where it is left out.")
@told
def add_token(name: str, extension: str | None) -> None:
    """Make a token for a program; it is shown this once."""
    click.echo(tokens.create(name, extension=extension, actor=ACTOR))


@click.command("doctor")
def doctor() -> None:
    """Look for what is wrong, and say what to do."""
    from app.doctor import run

    sys.exit(run(current_app.extensions["settings"]))
