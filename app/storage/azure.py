"""The store in a container of Azure Blob Storage: by connection string, key of the account, or SAS token."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from app.storage.base import ObjectFacts, StoreError
from app.storage.faults import Fault, of_connection, told
from app.storage.remote import ATTEMPTS, CONNECT_SECONDS, READ_SECONDS, RemoteStore, Upload, facts_of

SAS_MARK = "sig="
# What the client takes of an answer at once, as without a transport of our own.
ANSWER_BLOCK_BYTES = 256 * 1024
CODES = {
    Fault.KEY: "AuthenticationFailed InvalidAuthenticationInfo NoAuthenticationInformation",
    Fault.RIGHTS: "AuthorizationFailure AuthorizationPermissionMismatch AuthorizationServiceMismatch "
    "AuthorizationResourceTypeMismatch AuthorizationProtocolMismatch AuthorizationSourceIPMismatch "
    "InsufficientAccountPermissions AccountIsDisabled PublicAccessNotPermitted",
    Fault.BUCKET: "ContainerNotFound ContainerBeingDeleted ContainerDisabled",
    Fault.BUCKET_NAME: "InvalidResourceName OutOfRangeInput",
    Fault.BUSY: "ServerBusy InternalError OperationTimedOut",
}
_FAULT_OF = {code: fault for fault, codes in CODES.items() for code in codes.split()}


class AzureStore(RemoteStore):
    """See Store. `storage.bucket` is the container, `storage.access_key` the account."""

    # The client reads a range whole before it hands on the first byte.
    first_window = 512 * 1024

    def _connect(self) -> Any:
        from azure.storage.blob import BlobServiceClient, ExponentialRetry

        # Each request would be a line of its own.
        logging.getLogger("azure").setLevel(logging.WARNING)
        wanted = self._settings
        options: dict[str, Any] = {
            "transport": _transport(),
            "retry_policy": ExponentialRetry(
                initial_backoff=1, increment_base=2, retry_total=ATTEMPTS - 1, random_jitter_range=1
            ),
            "max_single_get_size": self.window,
        }
        if wanted.connection_string:
            try:
                service = BlobServiceClient.from_connection_string(wanted.connection_string, **options)
            except ValueError:
                raise told(Fault.CONNECTION_STRING, self._bucket) from None
        else:
            secret = wanted.secret_key
            credential: Any = secret if SAS_MARK in secret else self._account_key(secret)
            service = BlobServiceClient(self._endpoint(), credential=credential, **options)
        return service.get_container_client(self._bucket)

    def _account_key(self, secret: str) -> dict[str, str]:
        try:
            base64.b64decode(secret, validate=True)
        except binascii.Error:
            raise told(Fault.KEY, self._bucket) from None
        return {"account_name": self._settings.access_key, "account_key": secret}

    def _endpoint(self) -> str:
        text = self._settings.endpoint or f"{self._settings.access_key}.blob.core.windows.net"
        return text if "://" in text else f"https://{text}"

    def _errors(self) -> tuple[type[Exception], ...]:
        from azure.core.exceptions import AzureError

        return (AzureError, ValueError, OSError)

    def _told(self, error: Exception) -> StoreError:
        from azure.core.exceptions import HttpResponseError

        if not isinstance(error, HttpResponseError) or error.status_code is None:
            return told(of_connection(error), self._bucket)
        said = getattr(error, "error_code", None) or error.status_code
        code = str(getattr(said, "value", said))
        fault = _FAULT_OF.get(code)
        if fault is Fault.KEY:
            fault = _why_refused(str(error))
        if fault is None:
            by_status = {401: Fault.KEY, 403: Fault.RIGHTS, 500: Fault.BUSY, 503: Fault.BUSY}
            fault = by_status.get(error.status_code, Fault.OTHER)
        return told(fault, self._bucket, code)

    def _ask(self) -> None:
        next(iter(self._client.list_blob_names(name_starts_with=f"{self._prefix}-", results_per_page=1)), None)

    def _upload(self, name: str, upload: Upload) -> None:
        from azure.storage.blob import BlobBlock, ContentSettings

        blob = self._client.get_blob_client(name)
        md5 = bytearray(base64.b64decode(upload.md5))
        options: dict[str, Any] = {
            "metadata": dict(upload.metadata),
            "content_settings": ContentSettings(content_type=upload.content_type, content_md5=md5),
        }
        if upload.size <= self._part_bytes:
            content = upload.file.read()
            blob.upload_blob(content, length=len(content), overwrite=True, validate_content=True, **options)
            return
        blocks = []
        for number, (part, _) in enumerate(upload.parts(self._part_bytes)):
            block = f"{number:08d}"
            blob.stage_block(block, part, length=len(part), validate_content=True)
            blocks.append(BlobBlock(block))
        # Until now there is no object; blocks that nobody commits go by themselves after a week.
        blob.commit_block_list(blocks, **options)

    def _head(self, name: str) -> ObjectFacts | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            found = self._client.get_blob_client(name).get_blob_properties()
        except ResourceNotFoundError:
            return None
        return facts_of(found.size, found.content_settings.content_type, found.metadata)

    def _get(self, name: str, start: int, end: int) -> Iterator[bytes] | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            stream = self._client.get_blob_client(name).download_blob(offset=start, length=end - start)
        except ResourceNotFoundError:
            return None
        return iter((stream.readall(),))

    def _remove(self, name: str) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            self._client.get_blob_client(name).delete_blob(delete_snapshots="include")
        except ResourceNotFoundError:
            self._ask()

    def _names(self, prefix: str) -> Iterator[str]:
        yield from self._client.list_blob_names(name_starts_with=prefix)

    def _sign(self, name: str, seconds: int) -> str | None:
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        blob = self._client.get_blob_client(name)
        key = getattr(blob.credential, "account_key", None)
        if not key:
            # A SAS token cannot make another.
            return None
        signature = generate_blob_sas(
            str(blob.account_name),
            self._bucket,
            name,
            account_key=key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + timedelta(seconds=seconds),
        )
        return f"{blob.url}?{signature}"


def _transport() -> Any:
    from azure.core.pipeline.transport import RequestsTransport

    from app.storage import uplink

    transport = RequestsTransport(
        connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, connection_data_block_size=ANSWER_BLOCK_BYTES
    )
    transport.open()
    uplink.mount(transport.session)
    return transport


def _why_refused(text: str) -> Fault:
    if "Request date header too old" in text:
        return Fault.CLOCK
    if "Signature not valid in the specified time frame" in text:
        return Fault.EXPIRED
    return Fault.KEY
