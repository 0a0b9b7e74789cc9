"""A test call: the voice side of this host calls the mailbox and leaves a spoken message."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.jobs import queue
from app.services import mailboxes
from app.web import htmx
from app.web.access import login_required

blueprint = Blueprint("test_calls", __name__, url_prefix="/console/voicemail/mailboxes/<extension:extension>/test-call")
JOB = "place_test_call"
SENTENCES = {
    "queued": "The test call is about to start. It waits as long as no jobs process runs on this host.",
    "running": "Calling, listening to the greeting, speaking after the tone…",
    "failed": "The test call ended early. Look into the log of the jobs process.",
    "unknown": "Nothing is known of this test call any more. Place another one.",
}


@blueprint.post("")
@login_required
def start(extension: str) -> AnyResponse:
    """Ask for a test call; its progress has an address of its own."""
    mailbox = mailboxes.get(extension)
    job_id = queue.enqueue_voice(JOB, mailbox.extension, mailbox.language)
    if not htmx.wanted():
        return htmx.go(url_for("test_calls.show", extension=extension, job_id=job_id))
    return _show(extension, job_id)


@blueprint.get("/<id:job_id>")
@login_required
def show(extension: str, job_id: str) -> AnyResponse:
    """How the test call is getting on."""
    return _show(extension, job_id)


def _show(extension: str, job_id: str) -> AnyResponse:
    mailbox, job = mailboxes.get(extension), queue.voice_job(job_id)
    result = job["result"] if isinstance(job["result"], dict) else {}
    context = {
        "mailbox": mailbox,
        "job_id": job_id,
        "under_way": job["state"] in ("queued", "running"),
        "worked": bool(result.get("ok")),
        "sentence": str(result.get("detail") or SENTENCES.get(job["state"], SENTENCES["failed"])),
    }
    template = "test_calls/_test_call.html" if htmx.wanted() else "test_calls/page.html"
    return htmx.answer(render_template(template, **context))
