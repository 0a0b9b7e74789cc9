"""The count at the end: each caller's message, its audio, and each of its deliveries."""

from __future__ import annotations

import hashlib
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import select

from app.extensions import db
from app.models import Delivery, Mailbox, Message
from app.models.delivery import DONE, SKIPPED
from app.models.message import DISCARDED
from app.services import outbox, tokens
from app.storage import message_key, open_store
from tests.faults.chaos import object_store
from tests.faults.chaos.callers import FRAME
from tests.faults.chaos.faulty import Arrival
from tests.faults.chaos.harness import Chaos
from tests.peers.instance import HOST

# The hash says that a recording is whole, this says whose it is: a busy machine loses packets of callers.
HEARD_AT_LEAST = 0.5
FETCHED = 25
MOST_WORKERS = 6


# The id of a message, and whom it was for.
Target = tuple[str, str]


@dataclass(frozen=True)
class Made:
    """Deliveries of a kind: the names that each arrived with, one for each time, and which ones were owed."""

    kind: str
    names: dict[Target, list[str]]
    expected: set[Target]


def look(chaos: Chaos) -> list[str]:
    """What is wrong, a sentence each; empty where every promise was kept."""
    with chaos.instance.app.app_context():
        rows = list(db.session.scalars(select(Message)))
        extensions = {box.id: box.extension for box in db.session.scalars(select(Mailbox))}
        deliveries = list(db.session.scalars(select(Delivery)))
        db.session.rollback()
        audio: dict[str, bytes] = {}
        wrong = [
            *_audio(chaos, rows, audio),
            *_callers(chaos, rows, extensions, audio),
            *_deliveries(deliveries),
            *_objects(chaos, rows),
            *_through_the_portal(chaos, rows),
        ]
        for made in _made(chaos, rows, deliveries):
            chaos.say(f"{made.kind}: {len(made.names)} made, {_again(made)} of them once more than that")
            wrong += _once(made, chaos.kills)
    left = sorted(path.name for path in chaos.instance.settings.spool_dir.rglob("*") if path.is_file())
    wrong += [f"{name} is left in the spool" for name in left]
    for path in chaos.family.logs:
        if tracebacks := path.read_text(errors="replace").count("Traceback"):
            wrong.append(f"{tracebacks} tracebacks are in {path.name}")
    return wrong


def _audio(chaos: Chaos, rows: list[Message], audio: dict[str, bytes]) -> Iterator[str]:
    """Read every recording from the store into `audio`."""
    store = open_store(chaos.instance.settings)
    for row in rows:
        if row.state == DISCARDED:
            continue
        if row.spool_host is not None or row.storage_key is None:
            yield f"message {row.id} is not in the store"
            continue
        try:
            # Not from the cache of this host, which the portal would read.
            content = b"".join(store.open(row.storage_key).blocks())
        except Exception as error:
            yield f"message {row.id} cannot be read from the store: {error!r}"
            continue
        audio[row.id] = content
        if (len(content), hashlib.sha256(content).hexdigest()) != (row.size, row.sha256):
            yield f"message {row.id} has {len(content)} bytes in the store that are not its {row.size}"


def _callers(chaos: Chaos, rows: list[Message], extensions: dict[str, str], audio: dict[str, bytes]) -> Iterator[str]:
    """Who heard the tone has one message; nobody has two, and nobody another's."""
    of_call: dict[str, list[Message]] = {}
    for row in rows:
        of_call.setdefault(row.call_id, []).append(row)
    for call_id, found in of_call.items():
        if len(found) > 1:
            yield f"call {call_id} has {len(found)} messages"
    lost = 0
    for call in chaos.calls:
        found = of_call.get(call.call_id, [])
        if not found:
            if call.confirmed:
                yield f"caller {call.number} in mailbox {call.extension} heard the tone and has no message"
            lost += not call.confirmed
            continue
        row = found[0]
        if call.confirmed and row.state == DISCARDED:
            yield f"message {row.id} of {call.number} was taken for silence"
        if (row.caller_number, extensions[row.mailbox_id]) != (call.number, call.extension):
            yield f"message {row.id} of {call.number} for {call.extension} is another's"
        heard = _heard(call.said, audio.get(row.id, b""))
        if call.confirmed and heard < HEARD_AT_LEAST:
            yield f"message {row.id} of {call.number} has {heard:.0%} of what was said"
    confirmed = sum(call.confirmed for call in chaos.calls)
    chaos.say(
        f"{confirmed} callers heard the tone, {lost} of {len(chaos.calls) - confirmed} who hung up left no message"
    )
    if len(audio) != len({hashlib.sha256(content).digest() for content in audio.values()}):
        yield "two messages have the same recording"


def _heard(said: bytes, content: bytes) -> float:
    """The part of what was said that is in a recording, 0 to 1; frames of mere silence do not count."""
    frames = [said[start : start + FRAME] for start in range(0, len(said), FRAME)]
    telling = [frame for frame in frames if len(set(frame)) > 2]
    return sum(frame in content for frame in telling) / len(telling)


def _deliveries(deliveries: list[Delivery]) -> Iterator[str]:
    """Each is done, or was not to be done at all; none twice."""
    for row in deliveries:
        if row.state not in (DONE, SKIPPED):
            yield f"{row.kind} of message {row.message_id} is {row.state} after {row.attempts}: {row.last_error}"
    facts = Counter((row.message_id, row.event, row.kind, row.target) for row in deliveries if row.message_id)
    for (message_id, event, kind, target), times in facts.items():
        if times > 1 and event == "message.created":
            yield f"{kind} of message {message_id} to {target} is owed {times} times"


def _objects(chaos: Chaos, rows: list[Message]) -> Iterator[str]:
    """The store holds what messages it should, and nothing else."""
    wanted = {message_key(row.mailbox_id, row.id) for row in rows if row.state != DISCARDED}
    pages = chaos.moto.client().get_paginator("list_objects_v2").paginate(Bucket=object_store.BUCKET)
    there = {entry["Key"] for page in pages for entry in page.get("Contents", ())}
    if surplus := there - wanted:
        yield f"{len(surplus)} objects in the store belong to no message: {sorted(surplus)[:5]}"
    if missing := wanted - there:
        yield f"{len(missing)} objects are missing in the store: {sorted(missing)[:5]}"


def _through_the_portal(chaos: Chaos, rows: list[Message]) -> Iterator[str]:
    """Programs get the recordings from the portal, which was killed as well."""
    token = tokens.create("count", actor="test")
    place = f"http://{HOST}:{chaos.instance.settings.web.port}/api/voicemail/messages"
    for row in rows[-FETCHED:]:
        if row.state == DISCARDED:
            continue
        request = urllib.request.Request(f"{place}/{row.id}/audio", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                content = answer.read()
        except OSError as error:
            yield f"message {row.id} is not to be had from the portal: {error}"
            continue
        if hashlib.sha256(content).hexdigest() != row.sha256:
            yield f"message {row.id} comes damaged from the portal"


def _made(chaos: Chaos, rows: list[Message], deliveries: list[Delivery]) -> Iterator[Made]:
    """What arrived at the other side, for each kind."""
    done: dict[str, set[Target]] = {}
    for row in deliveries:
        if row.state == DONE and row.message_id:
            done.setdefault(row.kind, set()).add((row.message_id, row.target if row.kind == outbox.EMAIL else ""))
    ids = {row.id for row in rows}
    calls = [replace(each, to="") for each in chaos.hook.arrivals]
    arrived = ((outbox.UPLOAD, chaos.proxy.arrivals), (outbox.EMAIL, chaos.mail.arrivals), (outbox.WEBHOOK, calls))
    for kind, arrivals in arrived:
        yield Made(kind, _by_message(arrivals, ids), done.get(kind, set()))


def _by_message(arrivals: list[Arrival], ids: set[str]) -> dict[Target, list[str]]:
    """The names of what arrived of each message, for each whom it was for."""
    names: dict[Target, list[str]] = {}
    for arrival in arrivals:
        (message_id,) = arrival.ids & ids or {arrival.name}
        names.setdefault((message_id, arrival.to), []).append(arrival.name)
    return names


def _again(made: Made) -> int:
    return sum(len(names) - 1 for names in made.names.values())


def _once(made: Made, kills: int) -> Iterator[str]:
    """Each at least once, at most once more than there were kills, and nothing that nobody owes."""
    if missing := made.expected - set(made.names):
        yield f"{len(missing)} {made.kind} deliveries were never made: {sorted(missing)[:5]}"
    if surplus := set(made.names) - made.expected:
        yield f"{len(surplus)} {made.kind} deliveries are owed by nobody: {sorted(surplus)[:5]}"
    for (message_id, to), names in made.names.items():
        if len(set(names)) > 1:
            yield f"{made.kind} of message {message_id} {to} has {len(set(names))} names"
        if len(names) > kills + 1:
            yield f"{made.kind} of message {message_id} {to} was made {len(names)} times, with {kills} kills"
    # A kill cuts off no more deliveries than there are workers: repeats of others have another cause.
    if _again(made) > kills * MOST_WORKERS:
        yield f"{made.kind} deliveries were made {_again(made)} times more than once, with {kills} kills"
