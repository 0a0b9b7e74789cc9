"""Administration at a terminal: one line for each answer, and a status that scripts can use."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from app.account import account_of
from app.services import mailboxes, numbers, phone_access, pins, tokens, users
from app.services.mailbox_options import Options
from tests.services.takes import saved
from tests.support import make_settings

PASSWORD = "correct horse battery"


def run(app: Flask, *arguments: str, typed: str | None = None) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments), input=typed)


def refused(result: Result) -> str:
    """What a command said that failed, without a traceback."""
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    return result.stderr.strip()


def test_user_add(app: Flask) -> None:
    result = run(app, "user", "add", "anna", "--password", PASSWORD)
    assert (result.exit_code, result.output) == (0, "User anna (admin) may log in.\n")
    assert run(app, "user", "add", "bert", "--role", "staff", typed=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 0
    with app.app_context():
        assert [(user.name, user.role) for user in users.listing()] == [("anna", "admin"), ("bert", "staff")]
        assert users.authenticate("bert", PASSWORD) is not None


def test_user_add_says_what_is_wrong(app: Flask) -> None:
    assert "at least 10 characters" in refused(run(app, "user", "add", "anna", "--password", "short"))
    run(app, "user", "add", "anna", "--password", PASSWORD)
    assert refused(run(app, "user", "add", "anna", "--password", PASSWORD)) == users.TAKEN
    said = refused(run(app, "user", "add", "<script>", "--password", "short"))
    assert "1 to 64 letters" in said
    assert "at least 10" in said
    assert run(app, "user", "add", "anna", "--role", "root", "--password", PASSWORD).exit_code == 2


def test_a_password_is_not_shown(app: Flask) -> None:
    result = run(app, "user", "add", "anna", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert PASSWORD not in result.output


def test_mailbox_add_and_list(app: Flask) -> None:
    details = ["--email", "a@example.com", "--language", "zh", "--timezone", "Asia/Shanghai", "--name", "張偉 😀"]
    result = run(app, "mailbox", "add", "1001", "--pin", "4711", *details)
    assert (result.exit_code, result.output) == (0, "Mailbox 1001 takes messages.\n")
    with app.app_context():
        box = mailboxes.get("1001")
        assert (box.email, box.language, box.timezone, box.name) == ("a@example.com", "zh", "Asia/Shanghai", "張偉 😀")
        assert pins.verify(box.pin_hash, "4711")
        saved("1001")
        mailboxes.create("9", pin="4711", actor="test")
    lines = run(app, "mailbox", "list").output.splitlines()
    assert [line.split() for line in lines] == [
        ["9", "0", "new", "0", "saved"],
        ["1001", "1", "new", "0", "saved", "張偉", "😀"],
    ]


def test_mailbox_add_takes_options(app: Flask) -> None:
    options = ["--alias", "2001", "--alias", "2002", "--operator", "100", "--announcement-only", "--trusts-own-phone"]
    options += ["--no-envelope", "--review", "--max-messages", "50", "--max-duration", "90"]
    options += ["--new-days", "90", "--saved-days", "0", "--trash-days", "7"]
    result = run(app, "mailbox", "add", "1001", "--pin", "4711", *options)
    assert (result.exit_code, result.output) == (0, "Mailbox 1001 plays its greeting.\n")
    with app.app_context():
        assert Options.of(mailboxes.get("1001")) == Options(
            "2001 2002", "100", True, True, False, True, max_messages="50", max_duration="90",
            new_days="90", saved_days="0", trash_days="7",
        )  # fmt: skip
    said = refused(run(app, "mailbox", "add", "1002", "--pin", "4711", "--alias", "2001", "--max-seconds", "-1"))
    assert "The seconds of all messages: a whole number" in said


def test_mailbox_unlock(app: Flask) -> None:
    run(app, "mailbox", "add", "1001", "--pin", "4711")
    with app.app_context():
        for _ in range(phone_access.FAILURES):
            phone_access.log_in("1001", "902817", "test")
        assert phone_access.locked_until(mailboxes.get("1001")) is not None
    result = run(app, "mailbox", "unlock", "1001")
    assert (result.exit_code, result.output) == (0, "The owner of mailbox 1001 may log in by phone.\n")
    with app.app_context():
        assert phone_access.locked_until(mailboxes.get("1001")) is None
    assert refused(run(app, "mailbox", "unlock", "99")) == "There is no mailbox 99."


def test_a_long_list_is_whole(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailboxes, "MAX_PER_PAGE", 2)
    with app.app_context():
        for number in range(1, 6):
            mailboxes.create(str(number), pin="4711", actor="test")
    lines = run(app, "mailbox", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]


def test_an_empty_list_says_what_to_do(app: Flask) -> None:
    result = run(app, "mailbox", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "mailbox add 1001" in result.stderr


def test_mailbox_add_says_what_is_wrong(app: Flask) -> None:
    assert "count up or down" in refused(run(app, "mailbox", "add", "1001", "--pin", "1234"))
    said = refused(run(app, "mailbox", "add", "12a", "--pin", "1", "--email", "x", "--timezone", "Mars"))
    for words in ("1 to 20 digits", "4 to 8 digits", "not an e-mail address", "not a time zone"):
        assert words in said
    assert run(app, "mailbox", "add", "1001").exit_code == 2
    run(app, "mailbox", "add", "1001", "--pin", "4711")
    assert refused(run(app, "mailbox", "add", "1001", "--pin", "4711")) == mailboxes.TAKEN


def test_what_a_terminal_sends_that_is_no_text(app: Flask) -> None:
    """Bytes that are no UTF-8 come as halves of surrogates."""
    assert "one line of text" in refused(run(app, "mailbox", "add", "1", "--pin", "4711", "--name", "\udcff"))
    assert "digits only" in refused(run(app, "mailbox", "add", "1", "--pin", "47\udcff1"))
    assert run(app, "user", "add", "anna", "--password", PASSWORD + "\udcff").exit_code == 0


def test_token_add(app: Flask, mailbox: str) -> None:
    everything = run(app, "token", "add", "all").output.strip()
    one = run(app, "token", "add", "one", "--extension", mailbox).output.strip()
    with app.app_context():
        first, second = tokens.authenticate(everything), tokens.authenticate(one)
        assert first is not None
        assert second is not None
        assert (first.mailbox_id, second.mailbox_id) == (None, mailboxes.get(mailbox).id)
    assert refused(run(app, "token", "add", "all")) == tokens.TAKEN
    assert refused(run(app, "token", "add", "x", "--extension", "9")) == "There is no mailbox 9."


def test_an_empty_extension_makes_no_token_for_all(app: Flask) -> None:
    """A script whose variable is empty must not get more than it asked for."""
    assert "1 to 20 digits" in refused(run(app, "token", "add", "x", "--extension", ""))
    with app.app_context():
        assert tokens.listing() == []


def test_number_add_list_and_delete(app: Flask, mailbox: str) -> None:
    url = "https://example.com/voice"
    assert "number add 5551234" in run(app, "number", "list").stderr
    options = ["--method", "get", "--fallback", "http://127.0.0.1:5000/", "--status-callback", url, "--name", "Sales"]
    result = run(app, "number", "add", "+555-1234", "--url", url, "--language", "fr", *options)
    assert (result.exit_code, result.stdout) == (0, f"Calls to +5551234 are answered by {url}.\n")
    assert "127.0.0.1 is a private address" in result.stderr
    assert run(app, "number", "add", "--mailbox", mailbox, "--url", "http://anna:pass@example.com/").exit_code == 0
    with app.app_context():
        assert numbers.Details.of(numbers.page("Sales").items[0].number) == numbers.Details(
            "+5551234", "Sales", "fr", url, "GET", "http://127.0.0.1:5000/", "POST", url, "POST"
        )
    lines = [line.split() for line in run(app, "number", "list").output.splitlines()]
    assert lines == [
        ["+5551234", "GET", url, "Sales"],
        ["mailbox", "1001", "POST", "http://***@example.com/"],
    ]
    assert run(app, "number", "delete", "5551234").output == "Number 5551234 is answered by documents no more.\n"
    assert run(app, "number", "delete", "--mailbox", mailbox).exit_code == 0
    assert "no such number" in refused(run(app, "number", "delete", "5551234"))
    assert "no such number" in refused(run(app, "number", "delete", "--mailbox", mailbox))
    assert "There is no mailbox 9" in refused(run(app, "number", "delete", "--mailbox", "9"))


def test_number_add_says_what_is_wrong(app: Flask, mailbox: str) -> None:
    said = refused(run(app, "number", "add", "a b", "--url", "no url", "--method", "PUT", "--fallback", "x"))
    for words in ("SIP user name", "not an http or https address", "POST or GET"):
        assert words in said
    assert "--url: This is not an http" in said
    assert "--fallback: This is not an http" in said
    assert "leads to mailbox 1001" in refused(run(app, "number", "add", mailbox, "--url", "http://example.com/"))
    assert "not both" in refused(run(app, "number", "add", "1", "--mailbox", mailbox, "--url", "http://example.com/"))
    assert "Type what callers dial" in refused(run(app, "number", "add", "--url", "http://example.com/"))
    assert run(app, "number", "add", "1").exit_code == 2


def test_account_show(app: Flask) -> None:
    account = account_of(app.extensions["settings"])
    assert run(app, "account", "show").output == f"{account.sid}\n"
    assert run(app, "account", "show", "--secret").output.split() == [
        "AccountSid", account.sid, "Auth", "token", account.token,
    ]  # fmt: skip


def test_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "voicemail.db").mkdir()
    away = create_app(make_settings(tmp_path, SECRET_KEY="a key of the test"))
    for arguments in (
        ["mailbox", "list"],
        ["mailbox", "add", "1001", "--pin", "4711"],
        ["user", "add", "anna", "--password", PASSWORD],
        ["token", "add", "all"],
        ["number", "list"],
        ["number", "add", "1", "--url", "http://example.com/"],
    ):
        said = refused(run(away, *arguments))
        assert said.count("\n") == 0
        assert "The database" in said


def test_tables_that_are_missing_are_one_line(tmp_path: Path) -> None:
    empty = create_app(
        make_settings(tmp_path, SECRET_KEY="a key of the test", DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")
    )
    said = refused(run(empty, "mailbox", "list"))
    assert said.count("\n") == 0
    assert "flask --app wsgi doctor" in said


def test_secrets_in_the_address_of_a_database_are_not_shown(tmp_path: Path) -> None:
    from tests.support import free_port

    url = f"postgresql://anna:8675309@127.0.0.1:{free_port()}/voicemail"
    away = create_app(make_settings(tmp_path, SECRET_KEY="a key of the test", DATABASE_URL=url))
    assert "8675309" not in refused(run(away, "mailbox", "list"))


def test_help_names_the_commands(app: Flask) -> None:
    for group in ("user", "mailbox", "token", "number"):
        assert "add" in run(app, group, "--help").output
    assert "doctor" in run(app, "--help").output
