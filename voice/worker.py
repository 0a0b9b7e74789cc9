"""The voice worker: wires signalling, media, keeper and flows together and runs each call in a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.config import Settings
from voice import menu_recordings, router
from voice.call import Call
from voice.errors import CallEnded
from voice.flows.outcome import Limits, Outcome
from voice.flows.talk import Desk
from voice.keeper_client import KeeperClient
from voice.live import LiveCalls
from voice.mailbox import MailboxFacts, snapshot_path
from voice.media.loop import MediaLoop
from voice.media.recorder import SpoolWriter
from voice.message_waiting import MessageWaitingDesk
from voice.owner_client import OwnerClient
from voice.programs import ProgrammedCalls
from voice.prompts import Prompts
from voice.reception import Reception, Refused
from voice.sip import Account, Credentials, GateRules, InviteFacts, PbxTarget, Phone, SipCall, SubscriptionRules
from voice.sip.address import WILDCARDS
from voice.sip.gate import LOOPBACK
from voice.sip.uri import is_ip
from voice.takes import TakeRules, Takes
from voice.weak import weakly

log = logging.getLogger(__name__)
KEEPER_START_SECONDS = 20.0


class VoiceWorker:
    """One process's calls. start() answers calls, drain() takes no more, stop() ends what still runs."""

    def __init__(self, settings: Settings, registers: bool = True) -> None:
        """registers: with the registrar of the settings; False where another worker of this host does it."""
        self._settings = settings
        self._keeper = KeeperClient(snapshot_path(settings.instance))
        self._live = LiveCalls(self._keeper.tell)
        self._loop, self._writer = MediaLoop(), SpoolWriter()
        self._prompts = Prompts(settings.language, settings.sounds_dir)
        rules = TakeRules(
            settings.min_speech, settings.min_duration, settings.trailing_silence, settings.retention.trimmed_days > 0
        )
        self._takes = Takes(settings.spool_dir, rules, self._keeper)
        self._reception = Reception(
            self._keeper,
            _desk(settings, self._prompts, self._keeper),
            self._takes,
            settings.spool_dir,
            settings.limits.free_disk_bytes,
            settings.phone.star_login,
        )
        self._programs = (
            ProgrammedCalls(settings, self._keeper, self._prompts, self._reception, self._live.count_fault)
            if settings.programmable.enabled
            else None
        )
        self._route = router.Rules(
            settings.sip.diverted_mailbox,
            settings.sip.general_mailbox,
            settings.phone.own_number,
            settings.phone.any_number,
        )
        self._phone = Phone(
            host=settings.sip.host,
            port=settings.sip.port,
            public_address=settings.sip.public_address,
            rtp_ports=settings.rtp_range,
            username=settings.sip.username,
            max_calls=settings.sip.max_calls,
            loop=self._loop,
            on_call=self._on_call,
            media_timeout=settings.sip.media_timeout,
            account=_account(settings),
            registers=registers,
            gate_rules=_gate_rules(settings),
            credentials=_credentials(settings),
            subscription_rules=SubscriptionRules(
                settings.sip.subscribe_seconds,
                settings.sip.max_subscriptions,
                settings.sip.max_subscriptions_per_source,
                repeat=settings.sip.mwi_refresh_seconds,
            ),
            pbx_target=_pbx_target(settings),
        )
        self._desk = MessageWaitingDesk(
            self._keeper,
            self._phone.subscriptions,
            self._phone.sip.post,
            settings.sip.port,
            self._phone.unsolicited,
        )
        self._keeper.on_announced = self._desk.announced
        self._keeper.on_prompts = self._prompts.lay_over
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._threads: set[threading.Thread] = set()

    def start(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Take the ports and begin; OSError where the SIP port is taken. Calls get 503 until the keeper answers.

        stopping: asked now and then whether it is already time to stop.
        """
        self._settings.spool_dir.mkdir(parents=True, exist_ok=True)
        self._loop.start()
        self._writer.start()
        self._phone.start(accept=False)
        self._keeper.start()
        if self._programs:
            self._programs.start()
        self._prompts.prepare()
        if not self._keeper.wait_ready(KEEPER_START_SECONDS, stopping):
            log.error("the keeper is not ready; mailboxes are looked up in the snapshot until it is")
        self._phone.accepting = True
        self._desk.start()
        self._phone.register()
        self.beat("ready")
        log.info(
            "ready sip=%s:%s rtp=%s", self._settings.sip.host, self._settings.sip.port, self._settings.sip.rtp_ports
        )

    @property
    def busy(self) -> bool:
        """Whether a call rings or runs."""
        return bool(self._phone.live_calls())

    @property
    def calls_so_far(self) -> tuple[int, int]:
        """How many calls ring or run, and how many INVITEs came in all."""
        return len(self._phone.live_calls()), self._phone.statistics.invites

    def drain(self) -> None:
        """Refuse new calls with 503; those that ring or run go on."""
        self._phone.drain()
        self.beat("draining")
        log.info(
            "draining calls=%d dialogs=%d transactions=%d",
            len(self._phone.live_calls()), len(self._phone.calls), len(self._phone.sip.transactions),
        )  # fmt: skip

    def stop(self) -> None:
        """End the calls that still run, and everything else; what was recorded is kept."""
        self._phone.stop()
        deadline = time.monotonic() + 5.0
        for thread in tuple(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._desk.stop()
        self._writer.stop()
        self._loop.stop()
        if self._programs:
            self._programs.stop()
        self._keeper.stop()
        log.info("stopped")

    def beat(self, state: str) -> None:
        """Publish the live state of worker and calls: `ready` or `draining`; it is repeated every few seconds."""
        sip = self._settings.sip
        name = f"{self._settings.host_name}:{sip.port}"
        registration = self._phone.registration
        self._keeper.heartbeat(
            f"voicemail:worker:{name}",
            {
                "host": self._settings.host_name,
                "sip_host": sip.host,
                "sip_port": sip.port,
                "max_calls": sip.max_calls,
                "state": state,
                "started_at": self._started,
                "registered": registration.to_plain() if registration else None,
                "counters": self._counters(),
                "prompts": self._prompts.faults,
            },
        )
        self._live.tell_all()

    def _counters(self) -> dict[str, Any]:
        """What has been counted since the start; `rejected` by status."""
        phone = vars(self._phone.statistics)
        counted = {name: value for name, value in phone.items() if isinstance(value, int)}
        media = {"media_late": self._loop.late, "media_resynced": self._loop.resynced}
        return counted | media | self._live.counters | {"rejected": dict(self._phone.statistics.rejected)}

    def _on_call(self, leg: SipCall) -> None:
        """Runs in the SIP thread: everything that may wait happens in the call's own thread."""
        trusted = self._phone.gate.trusts(leg.source[0])
        facts = router.route(InviteFacts.of(leg.request), leg.call_id, trusted, self._route, leg.source[0])
        call = Call(leg, facts, self._writer)
        leg.on_event = weakly(call.post)
        thread = threading.Thread(target=self._run, args=(leg, call), name=f"call {facts.call_id[:12]}", daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            # No thread is to be had now; stop() cannot join one that never was.
            self._threads.discard(thread)
            raise

    def _run(self, leg: SipCall, call: Call) -> None:
        began = time.monotonic()
        mailbox, outcome = None, Outcome("error")
        try:
            admitted = self._reception.admit(call.facts)
            mailbox = admitted.mailbox
            with self._live.running(call, mailbox, leg.started_at, lambda: leg.stream.statistics):
                outcome = admitted.run(call)
        except Refused as refusal:
            leg.reject(refusal.status, refusal.reason, refusal.headers)
            outcome = Outcome("refused")
        except CallEnded as end:
            outcome = Outcome(end.reason)
        except Exception:
            # A fault ends this call alone; its recording, if there is one, is adopted by the keeper (voice/takes.py).
            log.exception("call=%s failed", call.facts.call_id)
            self._live.count_fault()
            # Where it was not answered yet, the PBX may try another way.
            leg.reject(500, "Server Internal Error")
        finally:
            leg.hangup()
            self._log_call(leg, call, mailbox, outcome, time.monotonic() - began)
            self._threads.discard(threading.current_thread())

    def _log_call(
        self, leg: SipCall, call: Call, mailbox: MailboxFacts | None, outcome: Outcome, seconds: float
    ) -> None:
        media = leg.stream.last_statistics()
        self._live.count(media, kept=bool(outcome.message))
        served = call.served or mailbox
        log.info(
            'call caller="%s" mailbox=%s ended_by="%s" why="%s" seconds=%.1f recorded=%.1f received=%d lost=%d '
            "jitter_ms=%.0f peer_lost=%s message=%s call_id=%s",
            call.facts.caller_number,
            served.extension if served else "-",
            outcome.ended_by,
            call.ended or "we hung up",
            seconds,
            outcome.recorded_seconds,
            media.received,
            media.lost,
            media.jitter * 1000,
            "-" if media.peer_lost is None else media.peer_lost,
            outcome.message or "-",
            call.facts.call_id,
        )


def _desk(settings: Settings, prompts: Prompts, keeper: KeeperClient) -> Desk:
    return Desk(
        prompts=prompts,
        requests=OwnerClient(keeper),
        limits=Limits(settings.silence_timeout, settings.max_duration),
        folder=menu_recordings.folder_of(settings.instance),
        language=settings.language,
        greeting_seconds=settings.limits.greeting_seconds,
        min_speech=settings.min_speech,
        trailing_silence=settings.trailing_silence,
    )


def _account(settings: Settings) -> Account | None:
    sip = settings.sip
    if not sip.registrar:
        return None
    return Account(sip.registrar, sip.username, sip.password, sip.auth_username, sip.register_seconds)


def _pbx_target(settings: Settings) -> PbxTarget | None:
    sip = settings.sip
    target = sip.mwi_target or sip.registrar
    if target in ("", "off"):
        return None
    registered = bool(sip.registrar) and target == sip.registrar
    return PbxTarget.of(
        target, sip.mwi_user, sip.username, registered=registered, refresh=float(sip.mwi_refresh_seconds)
    )


def _gate_rules(settings: Settings) -> GateRules:
    sip = settings.sip
    # The test call comes from this host: from the very address where we listen on one alone.
    own = (*LOOPBACK, sip.host) if is_ip(sip.host) and sip.host not in WILDCARDS else LOOPBACK
    return GateRules(
        trusted=sip.trusted,
        own=own,
        accounts=dict(sip.accounts),
        realm=settings.host_name,
        silent=sip.strangers == "silence",
        request_rate=sip.stranger_requests,
        request_burst=sip.stranger_requests_burst,
        call_rate=sip.stranger_calls,
        call_burst=sip.stranger_calls_burst,
    )


def _credentials(settings: Settings) -> Credentials:
    """What answers a PBX or proxy that challenges our requests in dialogs."""
    return Credentials(settings.sip.auth_username or settings.sip.username, settings.sip.password)
