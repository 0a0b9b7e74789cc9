"""The store in a bucket of Google Cloud Storage: by a service account's file, or Google's default chain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from app.storage.base import ObjectFacts, StoreError
from app.storage.faults import Fault, of_connection, told
from app.storage.remote import CHANGED, CONNECT_SECONDS, READ_SECONDS, RemoteStore, Upload, facts_of

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
TIMEOUT = (CONNECT_SECONDS, READ_SECONDS)
RETRY_SECONDS = 10
NO_PROJECT = "-"
"""Objects are reached without one, but the client wants a name."""


class GcsStore(RemoteStore):
    """See Store. `storage.endpoint` is for a private address of Google's, or for an emulator."""

    # The client reads a range whole before it hands on the first byte.
    first_window = 512 * 1024

    def _connect(self) -> Any:
        from google.api_core.client_options import ClientOptions
        from google.cloud import storage

        from app.storage import uplink

        endpoint = self._settings.endpoint
        if endpoint and "://" not in endpoint:
            endpoint = f"https://{endpoint}"
        options = ClientOptions(api_endpoint=endpoint) if endpoint else None
        client = storage.Client(project=NO_PROJECT, credentials=self._credentials(), client_options=options)
        # For its traces it would ask for the bucket's settings, in a thread of its own and perhaps without the right.
        client._bucket_metadata_cache = None
        if not client._http.is_mtls:
            # With a certificate of the machine's own the session has connections of its own.
            uplink.mount(client._http)
        return client.bucket(self._bucket)

    def _credentials(self) -> Any:
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.oauth2 import service_account

        if path := self._settings.credentials_file:
            try:
                load: Any = service_account.Credentials.from_service_account_file
                return load(path, scopes=[SCOPE])
            except (ValueError, OSError):
                raise told(Fault.CREDENTIALS_FILE, self._bucket) from None
        if self._settings.endpoint.startswith("http://"):
            # A token is a password: it does not go over a line that all can read.
            anonymous: Any = AnonymousCredentials
            return anonymous()
        credentials, _ = google.auth.default(scopes=[SCOPE])
        return credentials

    def _retry(self) -> Any:
        """Waits of 1 to 5 s with jitter between attempts."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(RETRY_SECONDS).with_delay(initial=1, maximum=5, multiplier=2)

    def _errors(self) -> tuple[type[Exception], ...]:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
        from requests import RequestException

        return (GoogleAPIError, GoogleAuthError, DataCorruption, InvalidResponse, RequestException, ValueError, OSError)

    def _told(self, error: Exception) -> StoreError:
        from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
        from google.auth import exceptions as auth

        if isinstance(error, RetryError) and error.cause is not None:
            return self._told(error.cause)
        if isinstance(error, auth.DefaultCredentialsError):
            return told(Fault.NO_KEY, self._bucket)
        if isinstance(error, auth.RefreshError):
            text = str(error)
            return told(Fault.CLOCK if "timeframe" in text or "iat" in text else Fault.KEY, self._bucket)
        if isinstance(error, NotFound):
            return told(Fault.BUCKET, self._bucket)
        if isinstance(error, GoogleAPICallError) and error.code is not None:
            code = int(error.code)
            by_status = {401: Fault.KEY, 403: Fault.RIGHTS, 429: Fault.BUSY}
            return told(Fault.BUSY if code >= 500 else by_status.get(code, Fault.OTHER), self._bucket, str(code))
        return told(of_connection(error), self._bucket)

    def _ask(self) -> None:
        # Of the client's own: a list needs no right to see the bucket's settings.
        found = self._client.client.list_blobs(
            self._bucket, prefix=f"{self._prefix}-", max_results=1, timeout=TIMEOUT, retry=self._retry()
        )
        next(iter(found), None)

    def _upload(self, name: str, upload: Upload) -> None:
        blob = self._client.blob(name)
        blob.metadata = dict(upload.metadata)
        # Said before the upload: the store refuses an object of another MD5, so it never stands there half.
        blob.md5_hash = upload.md5
        # In pieces, each asked for anew where it broke, when it is large; else in one request.
        blob.chunk_size = self._part_bytes if upload.size > self._part_bytes else None
        blob.upload_from_file(
            upload.file,
            size=upload.size,
            content_type=upload.content_type,
            checksum="crc32c",
            timeout=TIMEOUT,
            retry=self._retry(),
        )
        if blob.md5_hash not in (None, upload.md5):
            raise StoreError(CHANGED)

    def _head(self, name: str) -> ObjectFacts | None:
        found = self._client.get_blob(name, timeout=TIMEOUT, retry=self._retry())
        return None if found is None else facts_of(int(found.size), found.content_type, found.metadata)

    def _get(self, name: str, start: int, end: int) -> Iterator[bytes] | None:
        from google.api_core.exceptions import NotFound

        try:
            content = self._client.blob(name).download_as_bytes(
                start=start, end=end - 1, raw_download=True, checksum=None, timeout=TIMEOUT, retry=self._retry()
            )
        except NotFound:
            return None
        return iter((content,))

    def _remove(self, name: str) -> None:
        from google.api_core.exceptions import NotFound

        try:
            self._client.blob(name).delete(timeout=TIMEOUT, retry=self._retry())
        except NotFound:
            self._ask()

    def _names(self, prefix: str) -> Iterator[str]:
        for blob in self._client.client.list_blobs(
            self._bucket, prefix=prefix, fields="items(name),nextPageToken", timeout=TIMEOUT, retry=self._retry()
        ):
            yield blob.name

    def _sign(self, name: str, seconds: int) -> str | None:
        from google.auth.credentials import Signing

        if not isinstance(self._client.client._credentials, Signing):
            # What a machine of Google's gets holds no key that could sign.
            return None
        endpoint = self._settings.endpoint or None
        url: str = self._client.blob(name).generate_signed_url(
            version="v4", expiration=timedelta(seconds=seconds), method="GET", api_access_endpoint=endpoint
        )
        return url
