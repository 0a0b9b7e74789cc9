"""Numbers of the voice workers for Prometheus, as they tell them in their heartbeats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from app.services import workers
from app.services.workers import LiveCall

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
# Counters of a worker since its start. What a newer worker counts beside them is shown without a sentence.
COUNTERS = {
    "received": "Datagrams received on the SIP port",
    "ignored": "Keep-alives, STUN and datagrams that cannot be SIP",
    "malformed": "SIP messages refused or dropped because they cannot be read",
    "retransmissions": "Requests that came again",
    "send_errors": "SIP messages that could not be sent",
    "faults": "Faults of ours in the SIP thread",
    "invites": "New INVITEs",
    "answered": "Calls answered",
    "cancelled": "Calls that the caller gave up before the answer",
    "unacknowledged": "Answers that got no ACK",
    "strangers": "Requests refused or dropped since nobody knows their sender",
    "challenged": "Requests that were asked for a password",
    "wrong_passwords": "Requests with a wrong password",
    "scanners": "Datagrams of known scanners",
    "limited": "Requests dropped or refused since one source sent too many",
    "media_late": "Wake-ups of the media loop that came more than 5 ms late",
    "media_resynced": "Times that the media loop was 0.2 s behind and gave up the missed time",
    "packets_received": "RTP packets received in calls that ended",
    "packets_lost": "RTP packets that never came in calls that ended",
    "packets_lost_there": "RTP packets that callers lost, as far as they report it, in calls that ended",
    "messages": "Calls that left a message",
    "flow_faults": "Calls that a fault of ours ended",
}


def metrics() -> Iterator[Metric]:
    """Gauges and counters; Unavailable where Redis is away."""
    found = workers.live()
    yield GaugeMetricFamily("voicemail_workers", "Voice workers that are alive", len(found))
    yield GaugeMetricFamily("voicemail_calls", "Calls in progress", sum(_number(row.get("calls")) for row in found))
    yield from _gauges(found)
    yield from _counters(found)
    yield from _live_calls(workers.calls().calls)


def _live_calls(found: list[LiveCall]) -> Iterator[Metric]:
    """Each call in progress. Whose they are is for those who log in: the API tells it by `call`."""
    names = ["worker", "call"]
    since = GaugeMetricFamily(
        "voicemail_call_start_time_seconds", "Since when a call runs (Unix time)", labels=[*names, "state"]
    )
    received = GaugeMetricFamily("voicemail_call_packets_received", "RTP packets from the caller so far", labels=names)
    lost = GaugeMetricFamily("voicemail_call_packets_lost", "RTP packets that never came, so far", labels=names)
    lost_there = GaugeMetricFamily(
        "voicemail_call_packets_lost_there", "RTP packets that the caller has lost, where it reports that", labels=names
    )
    for call in found:
        labels = [call.worker, call.key]
        since.add_metric([*labels, call.state], call.since.timestamp())
        received.add_metric(labels, call.received)
        lost.add_metric(labels, call.lost)
        if call.lost_there is not None:
            lost_there.add_metric(labels, call.lost_there)
    yield from (since, received, lost, lost_there)


def _gauges(found: list[dict[str, Any]]) -> Iterator[Metric]:
    calls = GaugeMetricFamily(
        "voicemail_worker_calls", "Calls in progress, by what they are doing", labels=["worker", "state"]
    )
    most = GaugeMetricFamily("voicemail_worker_max_calls", "Calls that a worker takes at a time", labels=["worker"])
    ready = GaugeMetricFamily("voicemail_worker_ready", "1 where it takes calls, 0 while it stops", labels=["worker"])
    for row in found:
        states = _table(row.get("states"))
        for state in dict.fromkeys((*workers.STATES, *states)):
            calls.add_metric([_name(row), state], _number(states.get(state)))
        most.add_metric([_name(row)], _number(row.get("max_calls")))
        ready.add_metric([_name(row)], float(row.get("state") == "ready"))
    yield from (calls, most, ready, _registrations(found))


def _registrations(found: list[dict[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        "voicemail_registered", "Whether a voice worker is registered with its PBX", labels=["worker", "registrar"]
    )
    for row in found:
        if state := _table(row.get("registered")):
            family.add_metric([_name(row), str(state.get("registrar"))], float(state.get("state") == "registered"))
    return family


def _counters(found: list[dict[str, Any]]) -> Iterator[Metric]:
    names = dict.fromkeys((*COUNTERS, *(name for row in found for name in _table(row.get("counters")))))
    for name in names:
        if name == "rejected" or not NAME.fullmatch(name):
            continue
        family = CounterMetricFamily(f"voicemail_worker_{name}", COUNTERS.get(name, name), labels=["worker"])
        for row in found:
            family.add_metric([_name(row)], _number(_table(row.get("counters")).get(name)))
        yield family
    rejected = CounterMetricFamily(
        "voicemail_worker_rejected", "Calls refused, by SIP status", labels=["worker", "status"]
    )
    for row in found:
        for status, number in _table(_table(row.get("counters")).get("rejected")).items():
            rejected.add_metric([_name(row), status], _number(number))
    yield rejected


def _name(row: Mapping[str, Any]) -> str:
    return f"{row.get('host')}:{row.get('sip_port')}"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
