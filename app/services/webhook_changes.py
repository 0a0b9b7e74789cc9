"""What staff do with webhooks: a mailbox's address and headers, secrets, tests, switching on again."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx

from app import net
from app.config import SettingsError
from app.database import writing
from app.delivery.webhook import verdict
from app.delivery.webhook_event import test_event
from app.delivery.webhook_post import OURS, post
from app.errors import Invalid, NotFound, Unavailable
from app.extensions import db
from app.models import Mailbox, Webhook
from app.models.webhook import GLOBAL
from app.secret_box import seal, unseal
from app.services import audit, fields, mailboxes, webhooks
from app.services.context import settings
from app.services.seen import ANYTHING, Seen
from app.services.webhooks import NoWebhook
from app.settings_schema import is_header

LONGEST_URL, MOST_HEADERS = 1000, 20
# Stands for a value that is kept; nobody is shown a header's value again.
KEPT = "••••••"
NONE_YET = "This mailbox has no webhook yet. Save its address first."


@dataclass(frozen=True)
class State:
    """A webhook for a page. headers: a line each, values hidden. problem: why its secrets cannot be read."""

    url: str
    headers: str
    off_at: datetime | None
    off_reason: str
    fixed_secret: bool
    problem: str = ""


@dataclass(frozen=True)
class Tried:
    """How a test went. seconds: how long it took."""

    good: bool
    sentence: str
    seconds: float


def state_of(extension: str | None) -> State | None:
    """The webhook of a mailbox, or (None) that of the settings; None where there is none. NotFound."""
    row = db.session.get(Webhook, _scope(extension))
    off = webhooks.is_off(row)
    off_at, off_reason = (row.off_at, row.off_reason) if row and off else (None, "")
    if extension is None:
        place = _general_place()
        return State(place, "", off_at, off_reason, bool(settings().webhook.secret)) if place else None
    if row is None or not row.url:
        return None
    try:
        headers, problem = "\n".join(f"{name}: {KEPT}" for name in webhooks.headers_of(row)), ""
    except SettingsError as error:
        headers, problem = "", str(error)
    return State(row.url, headers, off_at, off_reason, False, problem)


def save(extension: str, *, url: str, headers: str, seen: Seen = ANYTHING, actor: str) -> bool:
    """Give a mailbox a webhook, or take it away (empty URL); whether it has one now. Invalid, NotFound, Unavailable.

    seen: the mailbox that it is for, lest another one's messages are posted there; Replaced.
    headers: a line each, `Name: value`; a hidden value stays as it was, but for another server, which must not be sent
    what was meant for this one. Another URL switches the webhook on.
    """
    box_id = mailboxes.get(extension, seen=seen).id
    row = db.session.get(Webhook, box_id)
    if not url.strip():
        _remove(box_id, actor)
        return False
    with fields.checked() as form:
        target = form.check("url", _url, url)
        wanted = form.check("headers", _headers, headers, _kept(row, target) if KEPT in headers else {})
    with readable():
        sealed = seal(settings(), json.dumps(wanted)) if wanted else ""
        secret = webhooks.new_secret()
    with writing():
        mailboxes.get(extension, locked=True, seen=Seen(box_id))
        row = db.session.get(Webhook, box_id, with_for_update=True, populate_existing=True)
        if row is None:
            row = Webhook(scope=box_id, url="", off_reason="")
            db.session.add(row)
        if row.url != str(target):
            row.off_at, row.off_reason = None, ""
        row.url, row.lane, row.headers = str(target), net.place_of(target), sealed
        row.secret = row.secret or secret
        audit.record(actor, "webhook.update", box_id, row.lane)
    return True


def switch_on(extension: str | None, *, actor: str) -> None:
    """Call a webhook again that was switched off; NotFound."""
    scope = _scope(extension)
    with writing():
        webhooks.switch_on(scope)
        audit.record(actor, "webhook.on", scope)


def secret_of(extension: str | None, *, actor: str) -> str:
    """The secret that signs, for an administrator; NotFound, Unavailable."""
    scope = _scope(extension)
    row = _row(scope)
    with readable():
        secret = (settings().webhook.secret if scope == GLOBAL else "") or unseal(settings(), row.secret)
    with writing():
        audit.record(actor, "webhook.secret", scope)
    return secret


def rotate(extension: str | None, *, actor: str) -> str:
    """Another secret, which signs from now on; NotFound, Unavailable; Invalid where it stands in the settings."""
    scope = _scope(extension)
    if scope == GLOBAL and settings().webhook.secret:
        raise Invalid({"secret": "The secret stands in the settings (webhook.secret); change it there."})
    _row(scope)
    with readable():
        sealed = webhooks.new_secret()
    with writing():
        row = db.session.get(Webhook, scope, with_for_update=True, populate_existing=True)
        if row is None:
            raise NotFound(NONE_YET)
        row.secret = sealed
        audit.record(actor, "webhook.rotate", scope)
    with readable():
        return unseal(settings(), sealed)


def send_test(extension: str | None, *, actor: str) -> Tried:
    """Post an event `test`, also to a webhook that is off, and tell how it went; NotFound, Unavailable.

    It takes webhook.timeout_seconds at most.
    """
    scope = _scope(extension)
    _row(scope)
    box: Mailbox | None = mailboxes.get(extension) if extension is not None else None
    event = test_event(box)
    try:
        with readable():
            hook = webhooks.hook_of(scope, though_off=True)
    except NoWebhook as why:
        return Tried(False, f"Nothing was sent: {why}.", 0.0)
    with writing():
        audit.record(actor, "webhook.test", scope, hook.lane)
    try:
        answer = post(hook, event, event["id"], settings())
    except net.NetError as error:
        return Tried(False, str(error), 0.0)
    said = verdict(hook.lane, answer.status).replace(": the webhook is switched off.", ".")
    return Tried(200 <= answer.status < 300, said, answer.seconds)


@contextmanager
def readable() -> Iterator[None]:
    """Turn a key that does not fit into a sentence for the page."""
    try:
        yield
    except SettingsError as error:
        raise Unavailable(f"The secrets of webhooks cannot be read or kept: {error}", 60) from None


def _general_place() -> str:
    """Where the settings' webhook leads; "" where there is none."""
    if not settings().webhook.url:
        return ""
    try:
        return net.place_of(net.checked_url(settings().webhook.url))
    except net.BadRequest:
        return "an address that cannot be used"


def _scope(extension: str | None) -> str:
    return GLOBAL if extension is None else mailboxes.get(extension).id


def _row(scope: str) -> Webhook:
    """The row of a webhook that is there; NotFound."""
    if scope == GLOBAL:
        if not settings().webhook.url:
            raise NotFound("The settings have no webhook.")
        try:
            with readable():
                return webhooks.general_row()
        except net.BadRequest as error:
            raise NotFound(f"The webhook of the settings cannot be used: {error}") from None
    row = db.session.get(Webhook, scope)
    if row is None or not row.url:
        raise NotFound(NONE_YET)
    return row


def _remove(box_id: str, actor: str) -> None:
    with writing():
        row = db.session.get(Webhook, box_id, with_for_update=True, populate_existing=True)
        if row is not None:
            db.session.delete(row)
            audit.record(actor, "webhook.remove", box_id)


def _kept(row: Webhook | None, target: httpx.URL | None) -> dict[str, str]:
    """The headers whose values may stay as they are: of a webhook on the same server, by the same scheme."""
    if row is None or not row.url or (target is not None and _server_of(target) != _server_of(httpx.URL(row.url))):
        return {}
    with readable():
        return webhooks.headers_of(row)


def _server_of(url: httpx.URL) -> tuple[str, str]:
    return url.scheme, net.place_of(url)


def _url(value: str) -> httpx.URL:
    try:
        url = net.checked_url(value)
    except net.BadRequest as error:
        raise fields.Problem(str(error)) from None
    if url.userinfo:
        raise fields.Problem("Leave name and password out of the address, and send them in a header (Authorization).")
    if len(str(url)) > LONGEST_URL:
        raise fields.Problem(f"An address has at most {LONGEST_URL} characters.")
    networks = [ipaddress.ip_network(text, strict=False) for text in settings().webhook.allowed_networks]
    if _is_address(url.host) and not net.may_connect(url.host, networks):
        raise fields.Problem("This is a private address. An administrator can allow its network in the settings.")
    return url


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _headers(text: str, kept: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not is_header(name, value):
            raise fields.Problem("A header is a line such as Authorization: Bearer TOKEN.")
        if name.lower() in OURS:
            raise fields.Problem(f"The header {name} is ours; leave it out.")
        if name.lower() in {other.lower() for other in found}:
            raise fields.Problem(f"The header {name} is there twice.")
        if value == KEPT and name not in kept:
            raise fields.Problem(f"Type the value of {name}: values are kept only for the same server.")
        found[name] = kept[name] if value == KEPT else value
    if len(found) > MOST_HEADERS:
        raise fields.Problem(f"There can be {MOST_HEADERS} headers.")
    return found
