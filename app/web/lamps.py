"""Lamps of a mailbox: which devices are told of its messages, what they answered, and all of it anew."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.config import Settings
from app.jobs import queue
from app.models import Mailbox
from app.services import lamps, mailboxes
from app.web import htmx, notices
from app.web.access import actor, login_required
from app.web.words import fingerprint, today

blueprint = Blueprint("lamps", __name__, url_prefix="/console/voicemail")
SENT = "The counts of mailbox {} are sent anew to all its lamps."
LATER = "Redis is away. The voice workers find mailbox {} by themselves, and send its counts within some seconds."


@blueprint.get("/<extension:extension>/lamps")
@login_required
def show(extension: str) -> AnyResponse:
    """The card: to HTMX alone, and nothing where it is the one that it names by `lamps`; else as a page."""
    card = lamps_card(mailboxes.get(extension))
    if not htmx.wanted():
        return htmx.answer(render_template("lamps/page.html", **card))
    if request.args.get("lamps") == card["lamps_version"]:
        return htmx.unchanged()
    return htmx.answer(render_template("lamps/_lamps.html", **card))


@blueprint.post("/<extension:extension>/lamps/resync")
@login_required
def resync(extension: str) -> AnyResponse:
    """Have the counts sent anew to every device."""
    heard = lamps.resync(extension, actor=actor())
    notices.tell((SENT if heard else LATER).format(extension))
    if not htmx.wanted():
        return htmx.go(url_for("messages.index", extension=extension))
    card = render_template("lamps/_lamps.html", **lamps_card(mailboxes.get(extension)))
    return htmx.answer(card + render_template("_notices_beside.html"))


def lamps_card(mailbox: Mailbox) -> dict[str, Any]:
    """What the card shows."""
    settings: Settings = current_app.extensions["settings"]
    sip = settings.sip
    rows, away = lamps.of_mailbox(mailbox.id), not queue.reachable()
    told = "".join(f"{row.key} {row.version} {row.sent_at} {row.answer}\n" for row in rows)
    return {
        "mailbox": mailbox,
        "lamps": rows,
        "redis_away": away,
        "has_pbx": (sip.mwi_target or sip.registrar) not in ("", "off"),
        "lamps_version": fingerprint(f"{told}{mailbox.mwi_version} {away} {today(mailbox.timezone)}"),
    }
