"""The store in a bucket of S3, or of what speaks its protocol: MinIO, Alibaba OSS, Tencent COS and others.

Uploads carry Content-MD5, which all of them check; the newer checksums of AWS are sent only where a call requires
one, since OSS and COS refuse them. The sha256 is in the object's metadata: an ETag is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from app.storage.base import BLOCK_BYTES, ObjectFacts, StoreError
from app.storage.faults import Fault, of_connection, told
from app.storage.remote import ATTEMPTS, CONNECT_SECONDS, READ_SECONDS, RemoteStore, Upload, facts_of

CONNECTIONS = 32
PARTIAL = 206
VIRTUAL_HOSTS = ("amazonaws.com", "amazonaws.com.cn", "aliyuncs.com", "myqcloud.com")
"""Those that take the bucket in the host name only, or rather so."""
CODES = {
    Fault.KEY: "InvalidAccessKeyId SignatureDoesNotMatch AuthFailure InvalidToken 401 UnrecognizedClientException",
    Fault.EXPIRED: "ExpiredToken TokenRefreshRequired",
    Fault.RIGHTS: "AccessDenied AllAccessDisabled AccountProblem Forbidden 403 KMS.AccessDeniedException",
    Fault.BUCKET: "NoSuchBucket",
    Fault.BUCKET_NAME: "InvalidBucketName",
    Fault.REGION: "PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException 301",
    Fault.CLOCK: "RequestTimeTooSkewed RequestExpired",
    Fault.BUSY: "SlowDown ServiceUnavailable InternalError RequestTimeout Throttling 500 502 503 504",
}
_FAULT_OF = {code: fault for fault, codes in CODES.items() for code in codes.split()}
_GONE = ("404", "NoSuchKey", "NotFound")


class S3Store(RemoteStore):
    """See Store. `storage.endpoint` may leave out https://."""

    def _connect(self) -> Any:
        import boto3
        from botocore.config import Config

        wanted = self._settings
        config = Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": self._addressing()},
        )
        session = boto3.session.Session(
            aws_access_key_id=wanted.access_key or None, aws_secret_access_key=wanted.secret_key or None
        )
        region = wanted.region or session.region_name or "us-east-1"
        return session.client("s3", endpoint_url=self._endpoint(), region_name=region, config=config)

    def _endpoint(self) -> str | None:
        text = self._settings.endpoint
        if not text:
            return None
        return text if "://" in text else f"https://{text}"

    def _addressing(self) -> str:
        if self._settings.addressing != "auto":
            return self._settings.addressing
        endpoint = self._endpoint()
        if not endpoint:
            return "auto"
        host = (urlsplit(endpoint).hostname or "").lower()
        return "virtual" if host.endswith(tuple(f".{name}" for name in VIRTUAL_HOSTS)) else "path"

    def _errors(self) -> tuple[type[Exception], ...]:
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        return (ClientError, BotoCoreError, HTTPError, RecursionError, ValueError, OSError)

    def _told(self, error: Exception) -> StoreError:
        from botocore import exceptions as boto

        if isinstance(error, boto.ClientError):
            code = _code_of(error)
            return told(_FAULT_OF.get(code, Fault.OTHER), self._bucket, code)
        known: tuple[tuple[Any, Fault], ...] = (
            ((boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError), Fault.NO_KEY),
            (boto.ParamValidationError, Fault.BUCKET_NAME),
            ((boto.HTTPClientError, boto.ConnectionError), of_connection(error)),
            (ValueError, Fault.ADDRESS),
        )
        fault = next((fault for kind, fault in known if isinstance(error, kind)), None)
        return told(fault or of_connection(error), self._bucket)

    def _ask(self) -> None:
        # A HEAD has no body, so its error has no code; this one's has.
        self._client.list_objects_v2(Bucket=self._bucket, Prefix=f"{self._prefix}-", MaxKeys=1)

    def _upload(self, name: str, upload: Upload) -> None:
        wanted = self._settings
        options = {
            "ContentType": upload.content_type,
            # Underscores in headers are dropped by some proxies (nginx) unless told otherwise.
            "Metadata": {key.replace("_", "-"): value for key, value in upload.metadata.items()},
            "StorageClass": wanted.storage_class,
            "ServerSideEncryption": wanted.encryption,
            "SSEKMSKeyId": wanted.kms_key,
        }
        options = {option: value for option, value in options.items() if value}
        target = {"Bucket": self._bucket, "Key": name}
        if upload.size <= self._part_bytes:
            # Bytes, not the file: a retry sends them again as they were.
            self._client.put_object(**target, **options, Body=upload.file.read(), ContentMD5=upload.md5)
        else:
            self._upload_parts(target, options, upload)

    def _upload_parts(self, target: dict[str, str], options: dict[str, Any], upload: Upload) -> None:
        client = self._client
        started = client.create_multipart_upload(**target, **options)["UploadId"]
        try:
            done = []
            for number, (part, md5) in enumerate(upload.parts(self._part_bytes), 1):
                answer = client.upload_part(**target, UploadId=started, PartNumber=number, Body=part, ContentMD5=md5)
                done.append({"PartNumber": number, "ETag": answer["ETag"]})
            client.complete_multipart_upload(**target, UploadId=started, MultipartUpload={"Parts": done})
        except BaseException:
            # Parts of an upload that nobody completes cost money for ever.
            self._abort(target, started)
            raise

    def _abort(self, target: dict[str, str], started: str) -> None:
        from contextlib import suppress

        with suppress(*self._errors()):
            self._client.abort_multipart_upload(**target, UploadId=started)

    def _head(self, name: str) -> ObjectFacts | None:
        from botocore.exceptions import ClientError

        try:
            found = self._client.head_object(Bucket=self._bucket, Key=name)
        except ClientError as error:
            if _code_of(error) in _GONE:
                return None
            self._ask()
            raise
        metadata = {key.replace("-", "_"): value for key, value in found.get("Metadata", {}).items()}
        return facts_of(found["ContentLength"], found.get("ContentType"), metadata)

    def _get(self, name: str, start: int, end: int) -> Iterator[bytes] | None:
        from botocore.exceptions import ClientError

        try:
            found = self._client.get_object(Bucket=self._bucket, Key=name, Range=f"bytes={start}-{end - 1}")
        except ClientError as error:
            if _code_of(error) in _GONE:
                return None
            raise
        if start and found["ResponseMetadata"]["HTTPStatusCode"] != PARTIAL:
            raise StoreError("the store sends the whole object where a part is asked for", "It must know Range")
        blocks: Iterator[bytes] = found["Body"].iter_chunks(BLOCK_BYTES)
        return blocks

    def _remove(self, name: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=name)

    def _names(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                yield entry["Key"]

    def _sign(self, name: str, seconds: int) -> str | None:
        target = {"Bucket": self._bucket, "Key": name}
        url: str = self._client.generate_presigned_url("get_object", Params=target, ExpiresIn=seconds)
        return url


def _code_of(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
