"""Numbers whose calls are answered by documents, at a terminal: flask --app wsgi number | account."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.cli import ACTOR, told
from app.config import LANGUAGES
from app.errors import Invalid
from app.launch.processes import networks_of_programs
from app.services import account, mailboxes, numbers
from app.services.context import settings
from app.services.numbers import Details
from app.services.trace_text import masked

# The option of each field that can be wrong; NUMBER and --mailbox speak for themselves.
OPTIONS = {
    "voice_url": "--url",
    "voice_method": "--method",
    "fallback_url": "--fallback",
    "fallback_method": "--fallback-method",
    "status_callback": "--status-callback",
    "status_callback_method": "--status-callback-method",
}
number_commands = AppGroup("number", help="Numbers whose calls are answered by TwiML documents.")
account_commands = AppGroup("account", help="The account that signs requests, and opens the REST calls.")


@number_commands.command("add")
@click.argument("number", required=False, default="")
@click.option("--url", required=True, help="Where the first document comes from.")
@click.option("--method", default="POST", show_default=True, help="POST or GET.")
@click.option("--fallback", default="", help="Where it comes from when that fails.")
@click.option("--fallback-method", default="POST", show_default=True)
@click.option("--status-callback", default="", help="Told of the end of each call.")
@click.option("--status-callback-method", default="POST", show_default=True)
@click.option("--language", type=click.Choice(LANGUAGES), default=None, help="Of apologies; that of the settings.")
@click.option("--name", default="", help="What it is for.")
@click.option("--mailbox", default="", help="An extension, in place of a number: the document runs for its greeting.")
@told
def add_number(number: str, url: str, method: str, fallback: str, language: str | None, **options: str) -> None:
    """Let documents answer the calls to NUMBER, such as 5551234 or *55; * stands for all that nothing else answers."""
    mailbox, status_callback = options.pop("mailbox"), options.pop("status_callback")
    if mailbox and number:
        raise Invalid({"number": "Give a number or a mailbox, not both."})
    details = Details(
        number=number,
        language=language or "",
        voice_url=url,
        voice_method=method,
        fallback_url=fallback,
        status_callback=status_callback,
        **options,
    )
    try:
        row = numbers.create(details, extension=mailbox, actor=ACTOR)
    except Invalid as error:
        said = {name: f"{OPTIONS[name]}: {why}" if name in OPTIONS else why for name, why in error.fields.items()}
        raise Invalid(said) from None
    click.echo(f"Calls to {f'mailbox {mailbox}' if mailbox else row.number} are answered by {masked(row.voice_url)}.")
    for sentence in numbers.warnings(row, networks_of_programs(settings())):
        click.echo(sentence, err=True)


@number_commands.command("list")
@told
def list_numbers() -> None:
    """List numbers: number, method, URL, name."""
    page, pages, total = 1, 1, 0
    while page <= pages:
        found = numbers.page(page=page)
        for line in found.items:
            row = line.number
            called = row.number or f"mailbox {line.extension}"
            click.echo(f"{called:<20} {row.voice_method:<4} {masked(row.voice_url)}  {row.name}".rstrip())
        page, pages, total = page + 1, found.pages, found.total
    if not total:
        click.echo("There are no numbers yet; add one: flask --app wsgi number add 5551234 --url URL", err=True)


@number_commands.command("delete")
@click.argument("number", required=False, default="")
@click.option("--mailbox", default="", help="An extension, in place of a number.")
@told
def delete_number(number: str, mailbox: str) -> None:
    """Answer the calls to NUMBER no more."""
    row = numbers.of_mailbox(mailboxes.get(mailbox).id) if mailbox else numbers.find(number)
    if row is None or (mailbox and number):
        raise Invalid({"number": "There is no such number; see: flask --app wsgi number list"})
    numbers.delete(row.id, actor=ACTOR)
    click.echo(f"{f'Mailbox {mailbox}' if mailbox else f'Number {number}'} is answered by documents no more.")


@account_commands.command("show")
@click.option("--secret", is_flag=True, help="Print the auth token too.")
@told
def show_account(secret: bool) -> None:
    """Print the AccountSid."""
    if not secret:
        click.echo(account.sid())
        return
    found = account.reveal(actor=ACTOR)
    click.echo(f"AccountSid  {found.sid}")
    click.echo(f"Auth token  {found.token}")
