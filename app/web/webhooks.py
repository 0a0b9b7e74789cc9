"""Webhooks: the page of a mailbox's own, and for administrators what can be done with that of the settings."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import StringField, TextAreaField

from app.errors import Invalid
from app.extensions import limiter
from app.services import mailboxes, webhook_changes
from app.services.context import settings
from app.services.webhook_changes import Tried
from app.web import htmx, limits, notices
from app.web.access import actor, admin_required, login_required
from app.web.forms import SeenForm

blueprint = Blueprint("webhooks", __name__, url_prefix="/console/voicemail")
# Each may hold a thread of the portal for webhook.timeout_seconds.
tests = limiter.shared_limit("12 per minute", "webhook tests", key_func=limits.by_user)
AGAIN = "The webhook is switched on. What happened in between is not sent."


class WebhookForm(SeenForm):
    """Where a mailbox's events go."""

    url = StringField("Address")
    headers = TextAreaField("Headers")


@blueprint.get("/mailboxes/<extension:extension>/webhook")
@login_required
def edit(extension: str) -> AnyResponse:
    """The page of a mailbox's webhook."""
    return _page(extension, WebhookForm(data=_shown(extension)), 200)


@blueprint.post("/mailboxes/<extension:extension>/webhook")
@login_required
def save(extension: str) -> AnyResponse:
    """Change it, or take it away."""
    form = WebhookForm()
    mailboxes.get(extension, seen=form.seen())
    if not form.validate_on_submit():
        return _page(extension, form, 422)
    try:
        typed = {"url": form.text("url"), "headers": form.text("headers")}
        kept = webhook_changes.save(extension, **typed, seen=form.seen(), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _page(extension, form, 422)
    notices.tell(f"The webhook of mailbox {extension} is {'saved' if kept else 'taken away'}.")
    return htmx.go(url_for("webhooks.edit", extension=extension))


@blueprint.post("/mailboxes/<extension:extension>/webhook/test")
@login_required
@tests
def test(extension: str) -> AnyResponse:
    """Post a test event and show what came back."""
    tried = webhook_changes.send_test(extension, actor=actor())
    if htmx.wanted():
        return htmx.answer(render_template("webhooks/_tried.html", tried=tried))
    return _page(extension, WebhookForm(formdata=None, data=_shown(extension)), 200, tried)


@blueprint.post("/mailboxes/<extension:extension>/webhook/on")
@login_required
def switch_on(extension: str) -> AnyResponse:
    """Call it again after its receiver said that it is gone."""
    webhook_changes.switch_on(extension, actor=actor())
    notices.tell(AGAIN)
    return htmx.go(url_for("webhooks.edit", extension=extension))


@blueprint.post("/mailboxes/<extension:extension>/webhook/secret")
@admin_required
def secret(extension: str) -> AnyResponse:
    """Show the secret in the answer."""
    return _secret(webhook_changes.secret_of(extension, actor=actor()), extension)


@blueprint.post("/mailboxes/<extension:extension>/webhook/rotate")
@admin_required
def rotate(extension: str) -> AnyResponse:
    """Make another secret, and show it."""
    return _secret(webhook_changes.rotate(extension, actor=actor()), extension)


@blueprint.post("/settings/webhook/test")
@admin_required
@tests
def test_general() -> AnyResponse:
    """As test(), for the webhook of the settings."""
    tried = webhook_changes.send_test(None, actor=actor())
    if htmx.wanted():
        return htmx.answer(render_template("webhooks/_tried.html", tried=tried))
    return htmx.answer(render_template("webhooks/tried.html", tried=tried))


@blueprint.post("/settings/webhook/on")
@admin_required
def switch_on_general() -> AnyResponse:
    """As switch_on()."""
    webhook_changes.switch_on(None, actor=actor())
    notices.tell(AGAIN)
    return htmx.go(url_for("settings.index"))


@blueprint.post("/settings/webhook/secret")
@admin_required
def secret_general() -> AnyResponse:
    """As secret()."""
    return _secret(webhook_changes.secret_of(None, actor=actor()), None)


@blueprint.post("/settings/webhook/rotate")
@admin_required
def rotate_general() -> AnyResponse:
    """As rotate()."""
    return _secret(webhook_changes.rotate(None, actor=actor()), None)


def acts(extension: str | None) -> Callable[[str], str]:
    """The address of each act on a webhook: on, test, secret, rotate."""
    if extension is None:
        return lambda act: f"{url_for('settings.index')}/webhook/{act}"
    return lambda act: f"{url_for('webhooks.edit', extension=extension)}/{act}"


def _shown(extension: str) -> dict[str, str]:
    """What the form of a mailbox's webhook holds."""
    state = webhook_changes.state_of(extension)
    seen = {"seen_id": mailboxes.get(extension).id}
    return seen | ({"url": state.url, "headers": state.headers} if state else {})


def _page(extension: str, form: WebhookForm, status: int, tried: Tried | None = None) -> Response:
    context = {
        "mailbox": mailboxes.get(extension),
        "form": form,
        "state": webhook_changes.state_of(extension),
        "tried": tried,
        "timeout": settings().webhook.timeout_seconds,
        "acts": acts(extension),
    }
    if htmx.wanted():
        return htmx.answer(render_template("webhooks/_form.html", **context), status)
    return htmx.answer(render_template("webhooks/edit.html", **context), status)


def _secret(secret: str, extension: str | None) -> Response:
    """The secret, in the answer itself: it is kept in no cookie and no page of the history."""
    back = url_for("settings.index") if extension is None else url_for("webhooks.edit", extension=extension)
    return htmx.answer(render_template("webhooks/secret.html", secret=secret, extension=extension, back=back))
