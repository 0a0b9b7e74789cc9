"""Gather: keys are taken while nested verbs are heard (https://www.twilio.com/docs/voice/twiml/gather)."""

from __future__ import annotations

from collections.abc import Callable

from voice.media import SAMPLE_RATE
from voice.media.key_tones import key_tones
from voice.synthesis.voices import language_of
from voice.twiml import codes
from voice.twiml.document import Step
from voice.twiml.errands import ErrandFailed
from voice.twiml.journal import VerbLine
from voice.twiml.script_run import GoTo, ScriptRun
from voice.verbs import Gather, Gathered, Say
from voice.verbs.gather import NO_LIMIT

SECOND = SAMPLE_RATE


def gather(run: ScriptRun, step: Step, line: VerbLine) -> GoTo | None:
    """Take keys; the action is next, or the next verb where there are none and actionOnEmptyResult is false."""
    wanted = step.attributes
    # Who ends a number with a key that the menu before did not wait for has not answered this one.
    while wanted["finishOnKey"] and run.call.typed_ahead() == wanted["finishOnKey"]:
        run.call.wait()
    for child in step.children:
        with run.journal.verb(child) as nested:
            heard = _hear(run, child)
            nested.outcome = "" if heard else "a key ended it"
        if not heard:
            break
    run.answer()
    seconds = float(wanted["timeout"])
    gathered = Gather(
        most=wanted["numDigits"] or NO_LIMIT,
        finish_on=wanted["finishOnKey"],
        first_timeout=seconds,
        between=seconds,
        attempts=1,
    ).run(run.call)
    run.moved = True
    line.outcome = _told(gathered)
    if not gathered.digits and not wanted["actionOnEmptyResult"]:
        return None
    return run.go_on(
        wanted["action"],
        wanted["method"],
        ("Digits", gathered.digits),
        ("FinishedOnKey", gathered.finished_by),
        ("msg", "Gather End"),
    )


def _hear(run: ScriptRun, child: Step) -> bool:
    """Whether a nested verb was heard to its end; a key that ends it, or waits already, is left to be taken."""
    if run.call.typed_ahead():
        return False
    payload = SOUNDS[child.name](run, child)
    run.answer()
    if not payload:
        return True
    # A pause is a second again and again: silence of an hour need not be in memory at once.
    times = child.attributes["length"] if child.name == "Pause" else child.attributes["loop"]
    return Say(payload, times).run(run.call)


def _told(gathered: Gathered) -> str:
    if not gathered:
        return "no key"
    ended = f", ended by {gathered.finished_by}" if gathered.finished_by else ""
    return f"keys {gathered.digits}{ended}" if gathered.digits else f"no key{ended}"


def say(run: ScriptRun, step: Step) -> bytes:
    """The payload of a Say. Its language, else the one that its voice's name tells, else the number's.

    Empty where there is nothing to say, such as a dash alone: that is noticed, and the call goes on.
    """
    voice = step.attributes["voice"]
    try:
        return run.speech(step.text, step.attributes["language"] or language_of(voice) or run.script.language, voice)
    except ErrandFailed as failure:
        if failure.code != codes.SAY_TEXT:
            raise
        run.journal.note(str(failure), failure.code, step)
        return b""


def play(run: ScriptRun, step: Step) -> bytes:
    """The payload of a Play: its keys, where it has some, else its sound."""
    keys = step.attributes["digits"]
    return key_tones(keys, run.call.law) if keys else run.sound(run.resolve(step.text))


def _pause(run: ScriptRun, _step: Step) -> bytes:
    return run.call.law.silence(SECOND)


SOUNDS: dict[str, Callable[[ScriptRun, Step], bytes]] = {"Say": say, "Play": play, "Pause": _pause}
