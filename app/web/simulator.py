"""The simulator: a number's documents with a scripted caller, run by the voice side without SIP; its trace shows it."""

from __future__ import annotations

import re
import uuid

from flask import Blueprint, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import BooleanField, StringField, TextAreaField

from app.errors import Invalid
from app.jobs import queue
from app.models import Number
from app.models.calls import CATCH_ALL
from app.services import caller_script, numbers, trace_rows
from app.services.fields import Fields, Problem
from app.services.numbers import Line
from app.web import htmx
from app.web.access import admin_required
from app.web.forms import Form

blueprint = Blueprint("simulator", __name__, url_prefix="/console/voicemail/numbers/<id:number_id>/simulate")
JOB = "simulate_call"
_CALLER = re.compile(r"[+0-9A-Za-z*#._-]{0,40}", re.ASCII)


class SimulatorForm(Form):
    """Who calls, what was dialled, and what the caller does."""

    caller = StringField("Caller's number", default="+15551234567")
    dialled = StringField("Dialled number", default="5551234")
    acts = TextAreaField("What the caller does")
    speaks = BooleanField("The caller speaks when recorded", default=True)


@blueprint.get("")
@admin_required
def form(number_id: str) -> AnyResponse:
    """The form as a page of its own."""
    return _page(numbers.get(number_id), SimulatorForm())


@blueprint.post("")
@admin_required
def start(number_id: str) -> AnyResponse:
    """Have the call simulated; its trace shows what comes of it."""
    line, typed = numbers.get(number_id), SimulatorForm()
    typed.validate()
    try:
        wanted = _wanted(line.number, typed)
    except Invalid as error:
        typed.refuse(error)
        return _page(line, typed, 422)
    queue.enqueue_voice(JOB, wanted)
    # The job may have begun already: its state is not replaced by this one.
    called = wanted["dialled"] or line.number.number or line.extension
    trace_rows.expect(str(wanted["sid"]), number_id=line.number.id, caller=str(wanted["caller"]), called=str(called))
    return htmx.go(url_for("programmed_calls.show", sid=wanted["sid"]))


def _page(line: Line, typed: SimulatorForm, status: int = 200) -> AnyResponse:
    page = render_template("numbers/simulate.html", line=line, number=line.number, simulator=typed)
    return htmx.answer(page, status)


def _wanted(number: Number, typed: SimulatorForm) -> dict[str, object]:
    """What the job is told; Invalid with a sentence for each field."""
    problems = Fields()
    caller = problems.check("caller", _number, typed.text("caller"))
    dialled = problems.check("dialled", _number, typed.text("dialled")) if number.number == CATCH_ALL else ""
    acts = problems.check("acts", caller_script.parse, typed.text("acts"))
    problems.done()
    return {
        "number_id": number.id,
        "sid": f"CA{uuid.uuid4().hex}",
        "caller": caller,
        "dialled": dialled,
        "acts": acts,
        "speaks": bool(typed.speaks.data),
    }


def _number(value: str) -> str:
    value = value.strip()
    if not _CALLER.fullmatch(value):
        raise Problem("A number is at most 40 letters, digits, + * # . _ or -; empty is a caller who hides it.")
    return value


def blank_form() -> SimulatorForm:
    """The form as it stands on a number's page."""
    return SimulatorForm(formdata=None)
