"""The spool: where a take is written while its call runs, and how it survives a kill at any line.

SPOOL/ID.json, the sidecar, is made and fsynced before the first frame and locked (flock) as long as
the call owns it. SPOOL/ID.wav grows beside it. At the end the sidecar is replaced atomically by one
that says `complete` or `discarded`; from then on the take is safe. A sidecar that says `recording`
and is not locked belongs to a worker that died.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from voice.errors import SpoolError

VERSION = 1
RECORDING, COMPLETE, DISCARDED = "recording", "complete", "discarded"
_KINDS = {"str": (str,), "float": (float, int), "int": (int,), "bool": (bool,)}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SIDS = re.compile(r"RE[0-9a-f]{32} CA[0-9a-f]{32}| ")


@dataclass(frozen=True)
class Sidecar:
    """What is known of a take: whose, from whom, when (ISO 8601, UTC), and once it ended, how.

    duration, speech: seconds. size: bytes of the WAV file. law: pcmu or pcma. trimmed: the file is to be cut to its
    size where it is longer (voice/trimming.py). again: the recording is the one beside it, where there is one
    (voice/retakes.py). forwarded_from, forwarded_by: of a copy, the message and the extension that sent it on.
    recording_sid, call_sid: of a recording of a programmed call, which has no mailbox; extension is what was dialled.
    """

    id: str
    mailbox_id: str
    extension: str
    caller_number: str
    caller_name: str
    call_id: str
    started_at: str
    law: str
    state: str = RECORDING
    duration: float = 0.0
    speech: float = 0.0
    size: int = 0
    sha256: str = ""
    urgent: bool = False
    ended_by: str = ""
    trimmed: bool = False
    again: bool = False
    forwarded_from: str = ""
    forwarded_by: str = ""
    recording_sid: str = ""
    call_sid: str = ""
    version: int = VERSION

    @classmethod
    def parse(cls, text: str) -> Sidecar:
        """Read a sidecar; SpoolError where it is damaged or of a later version."""
        try:
            data: dict[str, Any] = json.loads(text)
            known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
            sidecar = cls(**known)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SpoolError(f"not a sidecar: {error}") from None
        if any(type(getattr(sidecar, name)) not in _KINDS[item] for name, item in cls.__annotations__.items()):
            raise SpoolError("not a sidecar: a value of the wrong kind")
        if sidecar.version != VERSION or not _ID.fullmatch(sidecar.id):
            raise SpoolError(f"not a sidecar of version {VERSION}")
        if not _SIDS.fullmatch(f"{sidecar.recording_sid} {sidecar.call_sid}"):
            raise SpoolError("not a sidecar: the sids of a recording and its call go together")
        return sidecar


class SpoolEntry:
    """A take in the spool, owned (locked) by whoever holds this object; close() gives it up."""

    def __init__(self, folder: Path, sidecar: Sidecar, descriptor: int) -> None:
        self.folder, self.sidecar, self._descriptor = folder, sidecar, descriptor

    @classmethod
    def begin(cls, folder: Path, **facts: str) -> SpoolEntry:
        """Make and lock a sidecar that says `recording`, on disk before this returns; SpoolError."""
        sidecar = Sidecar(id=str(uuid.uuid4()), **facts)  # type: ignore[arg-type]  # the facts are all texts
        with _writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            entry = cls(folder, sidecar, _write(folder, sidecar))
            entry._sync_new()
        return entry

    @classmethod
    def begin_once(cls, folder: Path, sidecar: Sidecar) -> SpoolEntry | None:
        """As begin(), for a take that others may begin as well; None where it is in the spool already."""
        with _writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                entry = cls(folder, sidecar, _write(folder, sidecar, once=True))
            except FileExistsError:
                return None
            entry._sync_new()
        return entry

    @property
    def id(self) -> str:
        return self.sidecar.id

    @property
    def wav(self) -> Path:
        return self.folder / f"{self.sidecar.id}.wav"

    def finish(
        self,
        state: str,
        *,
        duration: float,
        speech: float,
        size: int,
        ended_by: str,
        sha256: str = "",
        urgent: bool = False,
        trimmed: bool = False,
        again: bool = False,
    ) -> Sidecar:
        """Replace the sidecar by its final one; the WAV file must be whole and fsynced already.

        Without sha256 whoever makes the message computes it: a hash is nothing for the process that paces media.
        """
        return self.change(
            state=state,
            duration=round(duration, 3),
            speech=round(speech, 2),
            size=size,
            sha256=sha256,
            ended_by=ended_by,
            urgent=urgent,
            trimmed=trimmed,
            again=again,
        )

    def change(self, **facts: Any) -> Sidecar:
        """Replace the sidecar by one with these facts in place of its own, at one moment; SpoolError.

        After an error too, self.sidecar is what is in the folder, and owned; only a power cut may still take it back.
        """
        final = replace(self.sidecar, **facts)
        with _writing_to(self.folder):
            self._take_over(final, _write(self.folder, final))
            _sync_folder(self.folder)
        return final

    def _take_over(self, sidecar: Sidecar, descriptor: int) -> None:
        """The new sidecar is in place: it is the take's from here on, and so is its lock, whatever fails next."""
        before = self._descriptor
        self.sidecar, self._descriptor = sidecar, descriptor
        os.close(before)

    def _sync_new(self) -> None:
        """Make the name of a new sidecar safe; where that fails nothing is left of it. OSError."""
        try:
            _sync_folder(self.folder)
        except OSError:
            with suppress(OSError):
                self.drop()
            raise

    def drop(self) -> None:
        """Remove a take that never got a frame. The WAV goes first: an unowned WAV has no story."""
        try:
            self.wav.unlink(missing_ok=True)
            _sidecar_path(self.folder, self.id).unlink(missing_ok=True)
            _sync_folder(self.folder)
        finally:
            self.close()

    def close(self) -> None:
        """Give up the lock; the files stay."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read(folder: Path, take_id: str) -> Sidecar:
    """The sidecar of a take as it is on disk; SpoolError where there is none or it is damaged."""
    if not _ID.fullmatch(take_id):
        raise SpoolError("not an id of a take")
    try:
        return Sidecar.parse(_sidecar_path(folder, take_id).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpoolError(f"the sidecar of {take_id} cannot be read: {error}") from None


def listing(folder: Path) -> list[str]:
    """Ids of all takes in the spool, oldest first as far as the clock tells."""
    found = []
    for entry in _entries(folder, ".json"):
        # An upload may remove it meanwhile.
        with suppress(FileNotFoundError):
            found.append((entry.stat().st_mtime, entry.name[:-5]))
    return [take_id for _, take_id in sorted(found) if _ID.fullmatch(take_id)]


@contextmanager
def adopted(folder: Path, take_id: str) -> Iterator[SpoolEntry | None]:
    """Own a take that nobody owns, for as long as the block runs; None where a call owns it."""
    try:
        descriptor = os.open(_sidecar_path(folder, take_id), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    entry: SpoolEntry | None = None
    try:
        if _lock(descriptor) and _same_file(descriptor, _sidecar_path(folder, take_id)):
            entry = SpoolEntry(folder, read(folder, take_id), descriptor)
        yield entry
    finally:
        if entry is not None:
            entry.close()
        else:
            os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove half-written sidecars that a kill between write and rename left behind a minute ago or more."""
    for entry in _entries(folder, ".json.part"):
        with suppress(FileNotFoundError):
            if time.time() - entry.stat().st_mtime > 60:
                descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if _lock(descriptor):
                        os.unlink(entry.path)
                finally:
                    os.close(descriptor)


def sweep_copies(folder: Path) -> None:
    """Remove copies of audio that a kill broke off some minutes ago."""
    for entry in _entries(folder, ".wav.part"):
        with suppress(FileNotFoundError):
            if time.time() - entry.stat().st_mtime > 600:
                os.unlink(entry.path)


def _entries(folder: Path, ending: str) -> Iterator[os.DirEntry[str]]:
    """One by one: where nothing was uploaded for a day there are many."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(ending):
                yield entry


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpoolError(f"the spool {folder} cannot be written: {error.strerror}") from error


def _write(folder: Path, sidecar: Sidecar, *, once: bool = False) -> int:
    """Write, lock, fsync and rename; the descriptor that holds the lock. OSError: what was there is still there.

    once: FileExistsError where there is one. The name is safe only when the folder is synced: whoever called does that,
    who owns the new sidecar by then.
    """
    path = _sidecar_path(folder, sidecar.id)
    # Who owns a take is alone with its half-written file; those who begin the same one need a file each.
    part = path.with_suffix(f".{uuid.uuid4().hex}.json.part" if once else ".json.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        data = json.dumps(asdict(sidecar), ensure_ascii=False).encode()
        if os.write(descriptor, data) != len(data):
            raise OSError(28, "no space left on the device")
        os.fsync(descriptor)
        if once:
            # Unlike a rename, a link never takes the place of what another wrote.
            os.link(part, path)
            with suppress(OSError):
                part.unlink()
        else:
            os.rename(part, path)
    except BaseException:
        os.close(descriptor)
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return descriptor


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _same_file(descriptor: int, path: Path) -> bool:
    # The file may have been replaced between open and lock; then another owns the new one.
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev)


def _sidecar_path(folder: Path, take_id: str) -> Path:
    return folder / f"{take_id}.json"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
