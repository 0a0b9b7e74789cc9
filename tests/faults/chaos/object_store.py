"""S3 as moto has it, behind a proxy that answers 500 or 503 SlowDown, resets connections, or cuts uploads in two."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.chaos.faulty import HOST, Arrival, Faulty
from tests.support import free_port, until

BROKEN, SLOW_DOWN, RESET, CUT = "500", "slowdown", "reset", "cut"
WAYS = (BROKEN, SLOW_DOWN, RESET, CUT)
BUCKET, REGION, KEY, SECRET = "recordings", "us-east-1", "AKIATEST", "the secret of the test"
BLOCK_BYTES = 64 * 1024
_ERRORS = {BROKEN: ("500 Internal Server Error", "InternalError"), SLOW_DOWN: ("503 Slow Down", "SlowDown")}
# Closes with RST instead of FIN.
_ABRUPTLY = struct.pack("ii", 1, 0)


def variables(endpoint: str) -> dict[str, str]:
    """Settings of an instance that keeps its recordings there."""
    return {
        "VOICEMAIL__STORAGE_TYPE": "s3",
        "VOICEMAIL__STORAGE__BUCKET": BUCKET,
        "VOICEMAIL__STORAGE__REGION": REGION,
        "VOICEMAIL__STORAGE__ENDPOINT": endpoint,
        "VOICEMAIL__STORAGE__ACCESS_KEY": KEY,
        "VOICEMAIL__STORAGE__SECRET_KEY": SECRET,
    }


class Moto:
    """An S3 server of its own process, with an empty bucket."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        with (folder / "moto.log").open("wb") as log:
            command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, 60, "moto answers")
        self.client().create_bucket(Bucket=BUCKET)

    def client(self) -> Any:
        """boto3's, straight to it."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=f"http://{HOST}:{self.port}",
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(10)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((HOST, self.port), 1):
            return True
        return False


@dataclass(frozen=True)
class _Message:
    """A request or an answer: its head with the empty line, and the length of the body that follows."""

    head: bytes
    length: int

    @property
    def words(self) -> list[str]:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")

    def has(self, header: bytes) -> bool:
        return any(line.lower() == header for line in self.head.split(b"\r\n"))


class S3Proxy(Faulty):
    """arrivals: objects that were PUT, each known by its path. requests: how many of all kinds it passed on."""

    name = "s3"

    def __init__(self, upstream: int) -> None:
        super().__init__()
        self._upstream = upstream
        self.requests = 0
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="s3-proxy", daemon=True)
        self._thread.start()
        serve = asyncio.start_server(self._serve, HOST, self.port)
        self._server = asyncio.run_coroutine_threadsafe(serve, self._loop).result(10)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def close(self) -> None:
        """Listen no more."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, and one to the server for it."""
        up: asyncio.StreamWriter | None = None
        with suppress(OSError, EOFError, ConnectionError, ValueError):
            from_up, up = await asyncio.open_connection(HOST, self._upstream)
            while await self._pass_on(await _read_head(reader), reader, writer, from_up, up):
                pass
        for each in (writer, up):
            if each:
                each.close()

    async def _pass_on(
        self,
        request: _Message,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_up: asyncio.StreamReader,
        up: asyncio.StreamWriter,
    ) -> bool:
        """One request and its answer; False where the connection is over."""
        wrong, method = self.wrong, request.words[0]
        if wrong == RESET:
            _abort(writer)
            return False
        if request.has(b"expect: 100-continue"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if wrong in _ERRORS:
            await _copy(reader, None, request.length)
            writer.write(_error(*_ERRORS[wrong], bodiless=method == "HEAD"))
            await writer.drain()
            return True
        up.write(b"\r\n".join(x for x in request.head.split(b"\r\n") if x.lower() != b"expect: 100-continue"))
        if wrong == CUT and method == "PUT":
            await _copy(reader, up, request.length // 2)
            _abort(up)
            _abort(writer)
            return False
        await _copy(reader, up, request.length)
        answer = await _read_head(from_up)
        # Counted before the client knows: it may be killed at any moment.
        self.requests += 1
        if method == "PUT" and answer.words[1] == "200":
            path = request.words[1].partition("?")[0]
            self.arrivals.append(Arrival(path.rpartition("/")[2], "", path))
        writer.write(answer.head)
        await _copy(from_up, writer, 0 if method == "HEAD" else answer.length)
        return not answer.has(b"connection: close")


async def _read_head(reader: asyncio.StreamReader) -> _Message:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return _Message(head, length)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None, length: int) -> None:
    """Pass so many bytes on, or drop them."""
    while length:
        block = await reader.read(min(BLOCK_BYTES, length))
        if not block:
            raise EOFError
        length -= len(block)
        if writer:
            writer.write(block)
            await writer.drain()
    if writer:
        await writer.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPTLY)
    writer.transport.abort()


def _error(status: str, code: str, bodiless: bool) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told to go wrong</Message></Error>".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return head if bodiless else head + body
