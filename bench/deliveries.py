"""How soon a message reaches its owner, how many do in a second, and what an outage does to new ones: `deliveries`."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from app.extensions import db
from app.models import Message
from app.services import messages
from app.storage import cache
from bench import cpu, rq_alone
from bench.delivery_site import JOBS, TRIED, Lamps, Site, first_arrivals
from bench.load import percentile
from bench.table import show
from bench.verdict import Line
from tests.servers import server_url
from tests.support import until

DATABASE = "postgresql"
SOON, SOON_EVERY = 80, 0.25
MANY, IN_FLIGHT = 600, 40
BACKLOG, NEW_EVERY = 10_000, 0.5
PATIENCE_SECONDS = 1800.0
DELIVERIES = 3
SEEKS = 30
# Two minutes of recording.
LONG = 60


@dataclass(frozen=True)
class Soon:
    """Milliseconds from the commit, sorted: to each receiver, and to the last of them."""

    mail: list[float]
    webhook: list[float]
    lamp: list[float]
    all: list[float]


@dataclass(frozen=True)
class Rate:
    """Messages a second, and the CPU milliseconds that each took, by the part that took them."""

    messages: float
    cpu: dict[str, float]


@dataclass(frozen=True)
class Drain:
    """A backlog that is worked off. new: ms from the commit to mail and webhook of messages that came meanwhile."""

    messages: int
    seconds: float
    new: list[float]


@dataclass(frozen=True)
class Seeks:
    """Milliseconds to the first byte of a seek, sorted, and requests that each cost."""

    cached: list[float]
    remote: list[float]
    round_trips: float


def measure(folder: Path, backlog: int = BACKLOG) -> list[Line]:
    """The part `deliveries`. backlog: messages that an outage has left behind."""
    server_url(DATABASE)
    with Site(folder / "soon", DATABASE, (*JOBS, "voice")) as site:
        soon = how_soon(site)
    with Site(folder / "many", DATABASE) as site:
        url = site.instance.settings.redis_url
        alone = {kind: rq_alone.jobs_a_second(kind, url) for kind in rq_alone.KINDS}
        rate = how_many(site)
        drain = drained(site, backlog)
    with Site(folder / "file", "sqlite") as site:
        sqlite_rate = how_many(site)
    with Site(folder / "seek", "sqlite", s3=True, boxes=1) as site:
        seeks = seek(site)
    return [*_times(soon), *_rates(rate, sqlite_rate, alone), *_backlog(drain), *_seeks(seeks)]


def how_soon(site: Site) -> Soon:
    """SOON messages, one each SOON_EVERY seconds, to mailboxes in turn, each with a phone that subscribed to it."""
    lamps = Lamps(site)
    lamps.start()
    # What a process does only once is not what owners wait for.
    for number in range(len(site.boxes)):
        site.save(number)
    site.wait_done()
    before = {box_id: sum(box == box_id for box, _ in lamps.lit) for box_id in site.boxes}
    saved: list[tuple[str, float, tuple[str, int]]] = []
    for number in range(SOON):
        box_id = site.boxes[number % len(site.boxes)]
        before[box_id] += 1
        began = time.monotonic()
        saved.append((*site.save(number), (box_id, before[box_id])))
        time.sleep(max(0.0, SOON_EVERY - (time.monotonic() - began)))
    site.wait_done()
    until(lambda: all(lamp in lamps.lit for _, _, lamp in saved), 30, "every phone is told")
    lamps.stop()
    ids = {message_id for message_id, _, _ in saved}
    mails, calls = first_arrivals(site.mail.arrivals, ids), first_arrivals(site.hook.arrivals, ids)
    rows = [
        tuple((at - committed) * 1000 for at in (mails[each], calls[each], lamps.lit[lamp]))
        for each, committed, lamp in saved
    ]
    mail, webhook, lit = (sorted(column) for column in zip(*rows, strict=True))
    return Soon(mail, webhook, lit, sorted(max(row) for row in rows))


def how_many(site: Site, count: int = MANY) -> Rate:
    """Messages a second through all deliveries, with IN_FLIGHT of them on their way at any time."""
    for number in range(IN_FLIGHT):
        site.save(number)
    site.wait_done()
    site.keep_statistics()
    before = cpu.seconds(site)
    rate = _through(site, count)
    return Rate(rate, {part: (now - before[part]) * 1000 / count for part, now in cpu.seconds(site).items()})


def _through(site: Site, count: int) -> float:
    mails, calls = len(site.mail.arrivals), len(site.hook.arrivals)

    def arrived() -> int:
        return min(len(site.mail.arrivals) - mails, len(site.hook.arrivals) - calls)

    began = time.monotonic()
    for number in range(count):
        until(lambda number=number: number - arrived() < IN_FLIGHT, PATIENCE_SECONDS, "deliveries go on")
        site.save(number)
    until(lambda: arrived() >= count, PATIENCE_SECONDS, "every message arrives")
    return count / (time.monotonic() - began)


def drained(site: Site, backlog: int) -> Drain:
    """Work off what an outage has left behind, while new messages come."""
    site.owe(backlog)
    site.keep_statistics()
    began = time.monotonic()
    saved: list[tuple[str, float]] = []
    over = threading.Event()

    def leave() -> None:
        while not over.wait(NEW_EVERY):
            saved.append(site.save(len(saved)))

    threading.Thread(target=leave, name="new messages", daemon=True).start()
    until(lambda: len(site.mail.arrivals) > 0 and _left(site) == 0, PATIENCE_SECONDS, "the backlog is worked off")
    seconds = time.monotonic() - began
    over.set()
    site.wait_done()
    ids = {message_id for message_id, _ in saved}
    mails, calls = first_arrivals(site.mail.arrivals, ids), first_arrivals(site.hook.arrivals, ids)
    meanwhile = [(each, at) for each, at in saved if at < began + seconds]
    return Drain(backlog, seconds, sorted((max(mails[each], calls[each]) - at) * 1000 for each, at in meanwhile))


def seek(site: Site) -> Seeks:
    """Seeks to the middle of a recording in S3: with the cache, and with an empty one."""
    site.audio *= LONG
    message_id, _ = site.save(0)
    site.wait_done()
    with site.app.app_context():
        row = db.session.get_one(Message, message_id)
        middle = row.size // 2

        def first_byte() -> float:
            began = time.perf_counter()
            next(iter(messages.open_audio(row).blocks(middle)))
            return (time.perf_counter() - began) * 1000

        cached = sorted(first_byte() for _ in range(SEEKS))
        shutil.rmtree(cache.folder_of(site.instance.settings))
        first_byte()
        before = site.proxy.requests
        remote = sorted(first_byte() for _ in range(SEEKS))
        trips = (site.proxy.requests - before) / SEEKS
        db.session.remove()
    return Seeks(cached, remote, trips)


def _left(site: Site) -> int:
    time.sleep(0.5)
    return site.owed(tried=TRIED)


def _times(soon: Soon) -> list[Line]:
    show(
        f"From the commit to the owner, {SOON} messages, nothing failing ({DATABASE})",
        ["", "p50 ms", "p95 ms", "longest ms"],
        [
            _row("mail accepted", soon.mail),
            _row("webhook called", soon.webhook),
            _row("phone notified", soon.lamp),
            _row("all of them", soon.all),
        ],
    )
    return [Line("commit to mail, webhook and NOTIFY, p95", percentile(soon.all, 95), 1000, unit="ms")]


def _rates(rate: Rate, sqlite_rate: Rate, alone: dict[str, float]) -> list[Line]:
    kinds = {"fork": "RQ's Worker, a fork for each job", "simple": "RQ's SimpleWorker"}
    deliveries = rate.messages * DELIVERIES
    show(
        f"Sustained, all on two cores, receivers too; RQ alone does empty jobs with {rq_alone.PROCESSES} workers",
        ["", "messages/s", "deliveries/s", "of RQ alone"],
        [
            [f"through all deliveries ({DATABASE})", f"{rate.messages:.1f}", f"{deliveries:.0f}", ""],
            ["the same (sqlite)", f"{sqlite_rate.messages:.1f}", f"{sqlite_rate.messages * DELIVERIES:.0f}", ""],
            *([name, "", f"{alone[kind]:.0f}", f"{deliveries / alone[kind]:.2f}"] for kind, name in kinds.items()),
        ],
    )
    show(
        "CPU of a message, milliseconds",
        ["", *rate.cpu, "together"],
        [_costs(DATABASE, rate), _costs("sqlite", sqlite_rate)],
    )
    return [
        Line("messages a second through all deliveries", rate.messages, 20, more=True),
        Line("deliveries a second, of RQ's empty jobs with a fork each", deliveries / alone["fork"], None),
        Line("deliveries a second, of RQ's empty jobs without", deliveries / alone["simple"], None),
    ]


def _costs(name: str, rate: Rate) -> list[str]:
    return [name, *(f"{cost:.1f}" for cost in (*rate.cpu.values(), sum(rate.cpu.values())))]


def _backlog(drain: Drain) -> list[Line]:
    show(
        f"A backlog of {drain.messages:,} messages after an outage: {drain.messages / drain.seconds:.1f} a second",
        ["", "messages", "p50 ms", "p95 ms", "longest ms"],
        [["new ones meanwhile", str(len(drain.new)), *_row("", drain.new)[1:]]],
    )
    return [Line("new messages during the drain, commit to mail and webhook, p95", percentile(drain.new, 95), 2000,
                 1000, unit="ms")]  # fmt: skip


def _seeks(seeks: Seeks) -> list[Line]:
    show(
        "A seek in a recording on S3: the first byte",
        ["", "p50 ms", "p95 ms", "longest ms"],
        [_row("from the cache", seeks.cached), _row("from the store", seeks.remote)],
    )
    return [
        Line("a seek in a recording on S3, from the cache, p95", percentile(seeks.cached, 95), 200, unit="ms"),
        Line("round trips of a seek without the cache", seeks.round_trips, 1),
    ]


def _row(name: str, times: list[float]) -> list[str]:
    return [name, f"{percentile(times, 50):.1f}", f"{percentile(times, 95):.1f}", f"{times[-1]:.1f}"]
