"""The end of a message: silence and tones are cut off and kept beside it, and a kill at any line loses nothing."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import signals
from tests.calls.scripted import HANG_UP, POUND, Committed, scripted_call
from tests.peers.instance import Instance
from voice import spool, trimming
from voice.events import Event, LimitReached, MediaTimeout, SilenceReached, ToneReached
from voice.flows.leave_message import leave_message
from voice.flows.outcome import Limits
from voice.mailbox import MailboxFacts
from voice.media import wav
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter
from voice.media.wav import HEADER_SIZE
from voice.prompts import Prompts
from voice.store import Store
from voice.takes import Take, TakeRules, Takes

EXTENSION = "7001"
PROMPTS = Prompts("en")
LIMITS = Limits(silence_timeout=5.0, max_duration=120.0)
SAID = signals.scaled(signals.speech("goodbye", "en"), -24)
SPOKEN = len(SAID) // 160 * 160
SILENCE = np.zeros(3 * 8000)
KEPT = 4000 + 480
"""Samples that may be left after the last sound: 0.5 s, and the detector's window."""


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def leave(
    folder: Path,
    writer: SpoolWriter,
    sent: bytes,
    event: Event,
    mailbox_id: str = "box",
    *,
    review: bool = False,
    **rules: Any,
) -> str:
    """A caller sends this, then the event comes; the id of the take. review: after # he hangs up when he is asked."""
    given = TakeRules(**({"min_speech": 0.2, "min_duration": 0.0} | rules))
    # The greeting, the tone, the menu.
    asked = {3: (HANG_UP,)} if review else {}
    call, _, _ = scripted_call(writer, speech=sent, after_speech=(event,), on_play=asked)
    box = MailboxFacts(mailbox_id, EXTENSION, "Alice", "en", "UTC", review=review)
    leave_message(call, box, PROMPTS, Takes(folder, given, Committed()), LIMITS)
    [take_id] = spool.listing(folder)
    return take_id


def sent(*parts: np.ndarray, law: Law = Law.PCMU) -> bytes:
    return signals.as_sent(np.concatenate(parts), law)


def payload(path: Path) -> bytes:
    """What a recording holds; its header is right."""
    data = path.read_bytes()[HEADER_SIZE:]
    assert path.read_bytes()[:HEADER_SIZE] == wav.header(Law.PCMU, len(data))
    return data


@pytest.mark.parametrize("event", [SilenceReached(), HANG_UP, POUND, LimitReached(), MediaTimeout()])
def test_silence_after_the_last_word_is_cut_to_half_a_second(tmp_path: Path, writer: SpoolWriter, event: Event) -> None:
    everything = sent(SAID, SILENCE)
    take_id = leave(tmp_path, writer, everything, event)
    path, sidecar = tmp_path / f"{take_id}.wav", spool.read(tmp_path, take_id)
    message = payload(path)
    assert SPOKEN - 480 < len(message) <= SPOKEN + KEPT
    assert everything.startswith(message)
    assert (sidecar.state, sidecar.duration) == ("complete", pytest.approx(len(message) / 8000, abs=0.001))
    assert (sidecar.size, sidecar.trimmed) == (path.stat().st_size, True)
    assert message + payload(trimming.tail_of(path)) == everything


@pytest.mark.parametrize("event", [POUND, LimitReached(), HANG_UP])
def test_of_who_speaks_until_the_end_nothing_is_cut(tmp_path: Path, writer: SpoolWriter, event: Event) -> None:
    everything = sent(SAID, SILENCE, SAID, np.zeros(3200))
    take_id = leave(tmp_path, writer, everything, event)
    assert payload(tmp_path / f"{take_id}.wav") == everything
    assert not (tmp_path / trimming.FOLDER).exists()


@pytest.mark.parametrize("event", [ToneReached("busy"), HANG_UP])
def test_a_tone_is_cut_off_and_the_silence_before_it(tmp_path: Path, writer: SpoolWriter, event: Event) -> None:
    line = signals.scaled(signals.tone("us busy", 4.0), -20)
    everything = sent(SAID, np.zeros(8000), line)
    take_id = leave(tmp_path, writer, everything, event)
    message = payload(tmp_path / f"{take_id}.wav")
    assert SPOKEN - 480 < len(message) <= SPOKEN + KEPT
    assert message + payload(trimming.tail_of(tmp_path / f"{take_id}.wav")) == everything


def test_a_tone_right_after_the_last_word_is_cut_off(tmp_path: Path, writer: SpoolWriter) -> None:
    line = signals.scaled(signals.tone("de busy", 4.0), -20)
    take_id = leave(tmp_path, writer, sent(SAID, line), ToneReached("busy"))
    assert SPOKEN - 480 < len(payload(tmp_path / f"{take_id}.wav")) <= SPOKEN + 320


def test_a_line_that_brings_nothing_but_a_tone_is_no_message_and_stays_whole(
    tmp_path: Path, writer: SpoolWriter
) -> None:
    everything = sent(signals.scaled(signals.tone("us busy", 4.0), -20))
    take_id = leave(tmp_path, writer, everything, ToneReached("busy"))
    assert spool.read(tmp_path, take_id).state == "discarded"
    assert payload(tmp_path / f"{take_id}.wav") == everything


def test_in_loud_noise_nothing_is_cut_since_the_last_word_may_be_hidden_in_it(
    tmp_path: Path, writer: SpoolWriter
) -> None:
    noise = signals.scaled(signals.noise("white"), -30)[: len(SAID) + len(SILENCE)]
    everything = sent(np.concatenate([SAID, SILENCE]) + noise)
    take_id = leave(tmp_path, writer, everything, SilenceReached(), min_speech=0.0)
    assert payload(tmp_path / f"{take_id}.wav") == everything


def test_how_much_silence_is_left_and_whether_the_rest_is_kept_are_settings(
    tmp_path: Path, writer: SpoolWriter
) -> None:
    take_id = leave(tmp_path, writer, sent(SAID, SILENCE), SilenceReached(), trailing_silence=2.0, keep_trimmed=False)
    assert SPOKEN + 16_000 - 480 < len(payload(tmp_path / f"{take_id}.wav")) <= SPOKEN + 16_000 + 480
    assert not (tmp_path / trimming.FOLDER).exists()


def test_what_cannot_be_kept_is_not_cut_off(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trimming, "keep_tail", full)
    everything = sent(SAID, SILENCE)
    take_id = leave(tmp_path, writer, everything, SilenceReached())
    assert payload(tmp_path / f"{take_id}.wav") == everything
    assert spool.read(tmp_path, take_id).state == "complete"


def test_a_disk_that_fills_up_while_the_tail_is_kept_leaves_no_part_of_it(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trimming, "sync_folder", full)
    everything = sent(SAID, SILENCE)
    take_id = leave(tmp_path, writer, everything, SilenceReached())
    assert payload(tmp_path / f"{take_id}.wav") == everything
    assert not trimming.tail_of(tmp_path / f"{take_id}.wav").exists()


def test_tails_that_cannot_be_removed_are_not_in_the_way_of_messages(tmp_path: Path, writer: SpoolWriter) -> None:
    instance = Instance(tmp_path / "instance")
    instance.mailbox(EXTENSION)
    store = Store(instance.settings)
    mailbox_id = store.find_mailbox([EXTENSION]).id  # type: ignore[union-attr]
    folder = instance.settings.spool_dir
    leave(folder, writer, sent(SAID), POUND, mailbox_id)
    (folder / trimming.FOLDER).write_bytes(b"no folder")
    with pytest.raises(NotADirectoryError):
        store.reconcile()
    assert len(instance.messages(EXTENSION)) == 1


SYSTEM_CALLS = ("fsync", "pwrite", "ftruncate", "rename", "open", "write")


@pytest.mark.parametrize("review", [False, True], ids=["at once", "reviewed"])
@pytest.mark.parametrize("fault", [Killed(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "disk"])
def test_a_kill_and_a_full_disk_at_any_line_lose_nothing(
    tmp_path: Path, writer: SpoolWriter, fault: BaseException, review: bool
) -> None:
    """At each system call of the end in turn; what the reconciler makes of it holds every word."""
    everything = sent(SAID, SILENCE)
    instance = Instance(tmp_path / "instance")
    instance.mailbox(EXTENSION)
    store = Store(instance.settings)
    mailbox_id = store.find_mailbox([EXTENSION]).id  # type: ignore[union-attr]
    folder, seen, number = instance.settings.spool_dir, set[str](), 0
    while fails_at(number, fault, folder, writer, everything, mailbox_id, review):
        store.reconcile()
        message = instance.messages(EXTENSION)[-1]
        path = folder / f"{message.id}.wav"
        kept, tail = payload(path), trimming.tail_of(path)
        assert (message.size, message.sha256) == (path.stat().st_size, wav.sha256_of(path)), number
        assert message.duration == pytest.approx(len(kept) / 8000, abs=0.001)
        assert kept + (payload(tail) if tail.exists() else b"") == everything, number
        seen.add("cut" if tail.exists() else "whole")
        for left in (path, path.with_suffix(".json"), tail):
            left.unlink(missing_ok=True)
        number += 1
    assert number > 12
    assert seen == {"cut", "whole"}


def fails_at(
    number: int,
    fault: BaseException,
    folder: Path,
    writer: SpoolWriter,
    everything: bytes,
    mailbox_id: str,
    review: bool,
) -> bool:
    """Leave a message and meet the fault at that system call of its end; False where it has fewer."""
    calls = [0]

    def counted(call: Any) -> Any:
        def counting(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == number + 1:
                raise fault
            return call(*arguments, **options)

        return counting

    with pytest.MonkeyPatch.context() as patch:
        says_enough = Take.says_enough

        def from_here(*arguments: Any) -> bool:
            """The recording is whole and on disk by now."""
            patch.setattr(Take, "says_enough", says_enough)
            for name in SYSTEM_CALLS:
                patch.setattr(os, name, counted(getattr(os, name)))
            return says_enough(*arguments)

        patch.setattr(Take, "says_enough", from_here)
        with suppress(Killed):
            leave(folder, writer, everything, POUND if review else SilenceReached(), mailbox_id, review=review)
    return calls[0] > number
