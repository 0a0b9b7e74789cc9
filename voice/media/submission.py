"""Many reads and writes on sockets in one call of the kernel (Linux AIO: io_submit(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import select
import socket
import sys

import numpy as np
from numpy.typing import NDArray

REQUEST = np.dtype(
    [
        ("data", "u8"),
        ("key", "u4"),
        ("flags", "u4"),
        ("operation", "u2"),
        ("priority", "i2"),
        ("descriptor", "u4"),
        ("buffers", "u8"),
        ("count", "u8"),
        ("offset", "i8"),
        ("reserved", "u8"),
        ("more_flags", "u4"),
        ("told_to", "u4"),
    ]
)
"""struct iocb of <linux/aio_abi.h>. data: its number among those that are run together, one by one."""
BUFFER = np.dtype([("address", "u8"), ("size", "u8")])
"""struct iovec (readv(2))."""
OUTCOME = np.dtype([("data", "u8"), ("request", "u8"), ("result", "i8"), ("more", "i8")])
"""struct io_event. data: the request's."""
READ, WRITE = 7, 8
"""IOCB_CMD_PREADV and IOCB_CMD_PWRITEV."""
# The C library has no names for them; x86-64 has numbers of its own.
_NUMBERS = {"x86_64": (206, 207, 208, 209)}
_GENERIC_NUMBERS = (0, 1, 4, 2)
_GENERIC = frozenset(("aarch64", "riscv64", "loongarch64"))
_PATIENCE = (ctypes.c_long * 2)(1, 0)
"""struct timespec: a socket that does not block answers at once, so the second is never waited for."""


class Submission:
    """Runs requests on sockets that do not block. Not to be used by two threads at once.

    The kernel does each request while it takes it, one after the other: what this saves is the way there and back, and
    all that Python does around it. Python's lock is held meanwhile, and not given up and taken back for each packet.
    """

    def __init__(self, most: int) -> None:
        """most: requests at once. OSError where the system has no such call, allows none, or does not do as said."""
        numbers = _numbers()
        if numbers is None:
            raise OSError(errno.ENOSYS, "not known on this kind of processor")
        self._setup, self._destroy, self._events, self._submit = numbers
        # PyDLL: with Python's lock held.
        self._call = ctypes.PyDLL(None, use_errno=True).syscall
        self._call.argtypes = [ctypes.c_long] * 6
        self._call.restype = ctypes.c_long
        self._outcomes = np.zeros(most, OUTCOME)
        self._results: NDArray[np.int64] = self._outcomes["result"]
        self._numbers = np.arange(most, dtype=np.uint64)
        self._outcomes_at = self._outcomes.ctypes.data
        self._patience_at = ctypes.addressof(_PATIENCE)
        context = ctypes.c_ulong(0)
        self._context: int | None = None
        if self._call(self._setup, most, ctypes.addressof(context), 0, 0, 0):
            raise _error("io_setup")
        self._context = context.value
        try:
            _try(self)
        except OSError:
            self.close()
            raise

    def run(self, addresses: int, count: int, first: int) -> NDArray[np.int64]:
        """Do the requests whose addresses are there; the results in order, which are overwritten by the next run.

        first: the number that the first of them has; the others are numbered on.
        A result is how many bytes were read or written, or an error number below 0. OSError where the kernel has not
        done all of them: then nothing is known about the rest.
        """
        if not count:
            return self._results[:0]
        if self._context is None:
            raise OSError(errno.EBADF, "closed")
        submitted = self._call(self._submit, self._context, count, addresses, 0, 0)
        if submitted < 0:
            raise _error("io_submit")
        done = self._call(self._events, self._context, submitted, submitted, self._outcomes_at, self._patience_at)
        numbers = self._outcomes["data"][:count]
        if not count == submitted == done or (numbers != self._numbers[first : first + count]).any():
            raise OSError(errno.EIO, f"io_submit did {done} of {count}, the first of them number {numbers[0]}")
        return self._results[:count]

    def close(self) -> None:
        """Harmless when it is over."""
        context, self._context = self._context, None
        if context is not None:
            self._call(self._destroy, context, 0, 0, 0, 0)


def _numbers() -> tuple[int, int, int, int] | None:
    """The numbers of io_setup, io_destroy, io_getevents and io_submit."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return None
    machine = platform.machine()
    return _NUMBERS.get(machine, _GENERIC_NUMBERS if machine in _GENERIC else None)


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def _try(submission: Submission) -> None:
    """OSError unless a datagram goes out and comes in, and nothing is waited for where none is there."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        for end in (one, two):
            end.bind(("127.0.0.1", 0))
            end.setblocking(False)
        one.connect(two.getsockname())
        said, heard = np.frombuffer(b"ping", np.uint8), np.zeros(8, np.uint8)
        buffers = np.array([(said.ctypes.data, len(said)), (heard.ctypes.data, len(heard))], BUFFER)
        requests = np.zeros(3, REQUEST)
        for number, (operation, end, which) in enumerate(((WRITE, one, 0), (READ, two, 1), (READ, two, 1))):
            requests[number]["data"], requests[number]["operation"] = number, operation
            requests[number]["descriptor"], requests[number]["count"] = end.fileno(), 1
            requests[number]["buffers"] = buffers.ctypes.data + which * BUFFER.itemsize
        pointers = requests.ctypes.data + np.arange(3, dtype=np.uint64) * np.uint64(REQUEST.itemsize)
        found = submission.run(pointers.ctypes.data, 1, 0).tolist()
        # Some systems deliver what is sent a moment later.
        select.select([two], [], [], 1.0)
        found += submission.run(pointers[1:].ctypes.data, 2, 1).tolist()
        if found != [4, 4, -errno.EAGAIN] or heard[:4].tobytes() != b"ping":
            raise OSError(errno.ENOTSUP, f"io_submit does not do what it should: {found}")
