"""Connections that break in the middle, bytes that change on the way, large files in parts, addresses that run out."""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from app.config import StorageSettings
from app.storage import Store, StoreError
from app.storage.azure import AzureStore
from app.storage.gcs import GcsStore
from app.storage.remote import RemoteStore
from app.storage.s3 import S3Store
from tests.storage.proxy import Proxy
from tests.storage.servers import REMOTE, Servers, check_signatures
from tests.support import until

KEY = "messages/a/b.wav"
MIB = 1024 * 1024
KINDS = {"s3": S3Store, "azure": AzureStore, "gcs": GcsStore}
SMALLEST_PART = {"s3": 5 * MIB, "azure": 256 * 1024, "gcs": 4 * MIB}
# s3rver writes what came of a request that was cut into the object, even beside the next one; no store that keeps an
# object whole or not at all does, so it cannot show what becomes of an upload that is cut.
WHOLE = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in REMOTE if name != "s3rver"]
grouped = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in REMOTE]


class Line:
    """A store behind a proxy."""

    def __init__(self, storage: StorageSettings, name: str, folder: Path) -> None:
        parts = urlsplit(storage.endpoint)
        assert parts.port
        self.direct = replace(storage, prefix=folder.name)
        self.proxy = Proxy(parts.port)
        self.behind = replace(self.direct, endpoint=f"http://127.0.0.1:{self.proxy.port}{parts.path}")
        self.folder = folder

    def store(self, *, direct: bool = False) -> RemoteStore:
        storage = self.direct if direct else self.behind
        return KINDS[storage.type](storage, SMALLEST_PART[storage.type])

    def take(self, size: int) -> tuple[Path, str, bytes]:
        content = (bytes(range(256)) * (size // 256 + 1))[:size]
        path = self.folder / "take.wav"
        path.write_bytes(content)
        return path, hashlib.sha256(content).hexdigest(), content


@pytest.fixture(params=grouped)
def line(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Line]:
    line = Line(servers(request.param), request.param, tmp_path)
    with line.proxy:
        yield line


def methods(line: Line) -> list[str]:
    return [method for method, _ in line.proxy.requests]


def test_a_large_file_goes_in_parts(line: Line) -> None:
    size = 2 * SMALLEST_PART[line.direct.type] + 1000
    path, digest, content = line.take(size)
    line.store().put(KEY, path, sha256=digest, metadata={"name": "王"})
    assert len([method for method in methods(line) if method in ("PUT", "POST")]) >= 4
    facts = line.store(direct=True).stat(KEY)
    assert facts is not None
    assert (facts.size, facts.sha256, facts.metadata) == (size, digest, {"name": "王"})
    assert b"".join(line.store().open(KEY).blocks()) == content
    assert b"".join(line.store().open(KEY).blocks(size - 5)) == content[-5:]


@pytest.mark.parametrize("line", WHOLE, indirect=True)
def test_an_upload_that_is_cut_once_is_sent_again(line: Line) -> None:
    path, digest, content = line.take(200_000)
    line.proxy.cut_up, line.proxy.cuts = 100_000, 1
    line.store().put(KEY, path, sha256=digest, metadata={})
    assert line.proxy.cuts < 1
    assert b"".join(line.store(direct=True).open(KEY).blocks()) == content


@pytest.mark.parametrize("line", WHOLE, indirect=True)
def test_an_upload_that_is_always_cut_leaves_no_object(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.storage.azure.ATTEMPTS", 2)
    monkeypatch.setattr("app.storage.gcs.RETRY_SECONDS", 2)
    path, digest, content = line.take(200_000)
    line.proxy.cut_up, line.proxy.cuts = 100_000, 1000
    with pytest.raises(StoreError, match=r"broke|does not answer"):
        line.store().put(KEY, path, sha256=digest, metadata={})
    assert line.store(direct=True).stat(KEY) is None
    line.proxy.cuts = 0
    line.store().put(KEY, path, sha256=digest, metadata={})
    assert b"".join(line.store(direct=True).open(KEY).blocks()) == content


def test_a_reading_that_is_cut_goes_on_where_it_was(line: Line) -> None:
    path, digest, content = line.take(3 * MIB)
    line.store(direct=True).put(KEY, path, sha256=digest, metadata={})
    line.proxy.cut_down, line.proxy.cuts = 400_000, 2
    assert b"".join(line.store().open(KEY, len(content)).blocks()) == content
    assert line.proxy.cuts < 2


def test_a_store_that_goes_away_in_the_middle_of_a_reading_is_an_error(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.storage.azure.ATTEMPTS", 1)
    monkeypatch.setattr("app.storage.gcs.RETRY_SECONDS", 1)
    path, digest, content = line.take(8 * MIB)
    line.store(direct=True).put(KEY, path, sha256=digest, metadata={})
    blocks = line.store().open(KEY, len(content)).blocks()
    assert next(blocks)
    line.proxy.close()
    with pytest.raises(StoreError):
        list(blocks)


def test_bytes_that_change_on_the_way_are_refused(line: Line) -> None:
    path, digest, content = line.take(100_000)
    if line.direct.type == "s3":
        # These two servers do not look at Content-MD5, as S3, MinIO, OSS and COS do: it must be there and be right.
        line.store().put(KEY, path, sha256=digest, metadata={})
        found = re.search(rb"(?i)\r\ncontent-md5: (\S+)\r\n", line.proxy.sent)
        assert found
        assert found[1] == base64.b64encode(hashlib.md5(content).digest())
        return
    # The sha256 of the text goes by as metadata and in signatures, its bytes only in the body.
    line.proxy.spoil = content[1000:1200]
    with pytest.raises(StoreError):
        line.store().put(KEY, path, sha256=digest, metadata={})
    there = line.store(direct=True).open(KEY, len(content))
    with pytest.raises(StoreError):
        there.blocks()


@pytest.mark.parametrize("in_parts", [False, True])
def test_a_slow_line_is_no_broken_one(line: Line, monkeypatch: pytest.MonkeyPatch, in_parts: bool) -> None:
    """A body of a request takes longer than to connect may, and is sent once."""
    for module in ("azure", "s3"):
        monkeypatch.setattr(f"app.storage.{module}.CONNECT_SECONDS", 1.5)
    monkeypatch.setattr("app.storage.gcs.TIMEOUT", (1.5, 15))
    part = max(SMALLEST_PART[line.direct.type], 2 * MIB) if in_parts else 8 * MIB
    path, digest, content = line.take(part + 1000 if in_parts else 1_500_000)
    parts = urlsplit(line.direct.endpoint)
    assert parts.port
    with Proxy(parts.port, len(content) // 4) as slow:
        storage = replace(line.direct, endpoint=f"http://127.0.0.1:{slow.port}{parts.path}")
        KINDS[storage.type](storage, part).put(KEY, path, sha256=digest, metadata={})
    assert len(slow.sent) < len(content) + 50_000
    assert b"".join(line.store(direct=True).open(KEY).blocks()) == content


def test_a_seek_is_one_request(line: Line) -> None:
    path, digest, content = line.take(400_000)
    line.store(direct=True).put(KEY, path, sha256=digest, metadata={})
    source = line.store().open(KEY, len(content))
    assert b"".join(source.blocks(100_000)) == content[100_000:]
    assert methods(line) == ["GET"]


@pytest.mark.parametrize("name", grouped)
def test_an_address_for_everybody_that_runs_out(servers: Servers, name: str, tmp_path: Path) -> None:
    if name == "gcs":
        assert GcsStore(servers(name)).presigned_url(KEY, 60) is None
        return
    line = Line(servers(name), name, tmp_path)
    store = line.store(direct=True)
    path, digest, content = line.take(1000)
    store.put(KEY, path, sha256=digest, metadata={})
    url = store.presigned_url(KEY, 60)
    assert url
    assert name == "s3rver" or line.direct.secret_key not in url
    if name == "moto":
        # Where moto looks at signatures, it knows none in addresses.
        check_signatures(line.direct.endpoint, wanted=False)
    try:
        assert urllib.request.urlopen(url, timeout=10).read() == content
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(url.replace("b.wav", "c.wav"), timeout=10)
    finally:
        if name == "moto":
            check_signatures(line.direct.endpoint)
    if name == "moto":
        return
    short = store.presigned_url(KEY, 1)
    assert short
    until(lambda: not _opens(short), 10, "the address to run out")


def _opens(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError:
        return False
    return True


class TestS3:
    """What only S3 has: parts that stay behind, classes and encryption, a prefix."""

    pytestmark = pytest.mark.xdist_group("moto")

    def client(self, storage: StorageSettings) -> Any:
        session = boto3.session.Session(storage.access_key, storage.secret_key)
        return session.client("s3", endpoint_url=storage.endpoint, region_name="us-east-1")

    def test_parts_of_an_upload_that_failed_are_removed(self, servers: Servers, tmp_path: Path) -> None:
        line = Line(servers("moto"), "moto", tmp_path)
        path, digest, _ = line.take(11 * MIB)
        with line.proxy:
            line.proxy.cut_up, line.proxy.cuts = 4 * MIB, 3
            with pytest.raises(StoreError):
                line.store().put(KEY, path, sha256=digest, metadata={})
        assert "DELETE" in methods(line)
        assert "Uploads" not in self.client(line.direct).list_multipart_uploads(Bucket=line.direct.bucket)
        assert line.store(direct=True).stat(KEY) is None

    @pytest.mark.parametrize("size", [1000, 6 * MIB])
    def test_class_encryption_and_prefix(self, servers: Servers, tmp_path: Path, size: int) -> None:
        line = Line(servers("moto"), "moto", tmp_path)
        storage = replace(line.direct, storage_class="STANDARD_IA", encryption="aws:kms", kms_key="our-key")
        store: Store = S3Store(storage, 5 * MIB)
        path, digest, _ = line.take(size)
        store.put(KEY, path, sha256=digest, metadata={"caller_name": "Zoë"})
        found = self.client(storage).head_object(Bucket=storage.bucket, Key=f"{storage.prefix}/{KEY}")
        assert (found["StorageClass"], found["ServerSideEncryption"]) == ("STANDARD_IA", "aws:kms")
        assert found["SSEKMSKeyId"].endswith("our-key")
        assert found["Metadata"] == {"caller-name": "Zo%C3%AB", "sha256": digest}
        # With encryption an ETag is no MD5, and in parts it never is one: nothing rests on it.
        assert store.stat(KEY).sha256 == digest
