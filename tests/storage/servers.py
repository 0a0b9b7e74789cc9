"""Servers of every kind of store, started once for all tests of a process, each with a bucket of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3

from app.config import PROJECT_ROOT, StorageSettings
from tests.support import free_port, missing, until

NODE = PROJECT_ROOT / ".cache" / "node" / "node_modules" / ".bin"
BUCKET = "voicemail-recordings"
REMOTE = ("moto", "s3rver", "azurite", "gcs")
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
AZURE_KEY = "c2VjcmV0IGtleSBvZiB0aGUgdGVzdHMsIG5vIG90aGVyIHNlcnZlcidz"


class Servers:
    """The settings of a store by the name of its server, which is started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._found: dict[str, StorageSettings] = {}

    def __call__(self, name: str) -> StorageSettings:
        if name not in self._found:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-")))
            self._found[name] = self._stack.enter_context(STARTS[name](folder))
        return self._found[name]

    def stop(self) -> None:
        self._stack.close()


@contextmanager
def process(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[None]:
    """A server that is ready when its port answers HTTP, whatever it says."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            until(lambda: child.poll() is not None or _answers(port), 40, f"{command[0]} to start")
            if child.poll() is not None:
                log.seek(0)
                raise AssertionError(f"{command[0]} ended: {log.read().decode(errors='replace')[-2000:]}")
            yield
        finally:
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)


@contextmanager
def moto(folder: Path) -> Iterator[StorageSettings]:
    """moto, which checks signatures and rights from the moment on that a user is there."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process([_program("moto_server"), "-H", "127.0.0.1", "-p", str(port)], port):
        key = moto_user(url, POLICY)
        _client(url, "nobody", "nothing").create_bucket(Bucket=BUCKET)
        check_signatures(url)
        yield StorageSettings(
            type="s3", bucket=BUCKET, region="us-east-1", endpoint=url, access_key=key[0], secret_key=key[1]
        )


def moto_user(url: str, policy: dict[str, Any]) -> tuple[str, str]:
    """Access key and secret of a new user who may do what the policy says; signatures must be off."""
    iam = _client(url, "nobody", "nothing", "iam")
    name = f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def check_signatures(url: str, wanted: bool = True) -> None:
    """From now on every request must be signed by a user who may do it, or no request."""
    count = b"0" if wanted else b"inf"
    request = urllib.request.Request(f"{url}/moto-api/reset-auth", count, {"Content-Type": "text/plain"})
    urllib.request.urlopen(request, timeout=10).read()


@contextmanager
def s3rver(folder: Path) -> Iterator[StorageSettings]:
    """s3rver, an S3 server of another make; of signatures it looks at the access key and the time only."""
    port = free_port()
    command = [_node("s3rver"), "-d", str(folder), "-a", "127.0.0.1", "-p", str(port), "-s"]
    with process([*command, "--configure-bucket", BUCKET], port):
        yield StorageSettings(
            type="s3", bucket=BUCKET, endpoint=f"http://127.0.0.1:{port}", access_key="S3RVER", secret_key="S3RVER"
        )


@contextmanager
def azurite(folder: Path) -> Iterator[StorageSettings]:
    """Microsoft's emulator of Azure Storage."""
    from azure.storage.blob import BlobServiceClient

    port = free_port()
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--silent"]
    environment = {"AZURITE_ACCOUNTS": f"voicemail:{AZURE_KEY}", "PATH": os.environ["PATH"]}
    with process([_node("azurite-blob"), *options, "--skipApiVersionCheck"], port, environment):
        url = f"http://127.0.0.1:{port}/voicemail"
        credential = {"account_name": "voicemail", "account_key": AZURE_KEY}
        BlobServiceClient(url, credential=credential).create_container(BUCKET)
        yield StorageSettings(type="azure", bucket=BUCKET, endpoint=url, access_key="voicemail", secret_key=AZURE_KEY)


@contextmanager
def gcs(folder: Path) -> Iterator[StorageSettings]:
    """An emulator of Google Cloud Storage; it checks no keys."""
    port = free_port()
    command = [_program("gcp-storage-emulator"), "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
    with process([*command, "--default-bucket", BUCKET], port):
        yield StorageSettings(type="gcs", bucket=BUCKET, endpoint=f"http://127.0.0.1:{port}")


STARTS: dict[str, Callable[[Path], Any]] = {"moto": moto, "s3rver": s3rver, "azurite": azurite, "gcs": gcs}


def _client(url: str, access_key: str, secret_key: str, service: str = "s3") -> Any:
    return boto3.session.Session(access_key, secret_key).client(service, endpoint_url=url, region_name="us-east-1")


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _node(name: str) -> str:
    if not (NODE / name).exists():
        missing(f"there is no {name}: sh .ci/node-packages")
    return str(NODE / name)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
