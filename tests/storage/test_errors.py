"""What people read when a store does not do its work: one sentence, what to do, and never a secret."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from app.config import Settings, StorageSettings
from app.storage import Store, StoreError, open_store
from app.storage.gcs import GcsStore
from tests.storage.canned import answering, s3_error
from tests.storage.servers import REMOTE, Servers, check_signatures, moto_user
from tests.support import free_port

KEY = "messages/a/b.wav"
S3 = ("moto", "s3rver")
SECRET = "dGhpcyBpcyBhIHNlY3JldCB0aGF0IG5vYm9keSBtYXkgc2Vl"
CANNED = StorageSettings(type="s3", bucket="recordings", access_key="AKIA", secret_key=SECRET)
grouped = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in REMOTE]
s3_servers = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in S3]


@pytest.fixture(autouse=True)
def _fewer_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays wrong is not tried so often that tests take minutes; test_broken.py is about attempts."""
    monkeypatch.setattr("app.storage.azure.ATTEMPTS", 1)
    monkeypatch.setattr("app.storage.gcs.RETRY_SECONDS", 1)


def store_of(storage: StorageSettings) -> Store:
    return open_store(Settings(storage=storage))


@pytest.fixture
def take(tmp_path: Path) -> Path:
    path = tmp_path / "take.wav"
    path.write_bytes(b"take")
    return path


def acts(store: Store, take: Path) -> dict[str, Callable[[], object]]:
    digest = hashlib.sha256(take.read_bytes()).hexdigest()
    return {
        "put": lambda: store.put(KEY, take, sha256=digest, metadata={}),
        "open": lambda: store.open(KEY),
        "stat": lambda: store.stat(KEY),
        "delete": lambda: store.delete(KEY),
        "list": lambda: list(store.list()),
    }


def refused(act: Callable[[], object], sentence: str) -> StoreError:
    with pytest.raises(StoreError, match=sentence) as caught:
        act()
    error = caught.value
    assert "\n" not in str(error)
    assert SECRET not in f"{error} {error.advice}"
    assert error.advice
    # What the client said may hold an address with a signature: it does not follow the error into a log.
    assert error.__suppress_context__
    return error


@pytest.mark.xdist_group("moto")
def test_a_wrong_secret(servers: Servers, take: Path) -> None:
    store = store_of(replace(servers("moto"), secret_key=SECRET))
    for act in acts(store, take).values():
        assert "storage.secret_key" in refused(act, "refuses the key").advice


@pytest.mark.parametrize("name", s3_servers)
def test_a_key_that_nobody_knows(servers: Servers, take: Path, name: str) -> None:
    store = store_of(replace(servers(name), access_key="AKIANOBODY", secret_key=SECRET))
    for act in acts(store, take).values():
        assert "storage.access_key" in refused(act, "refuses the key").advice


@pytest.mark.xdist_group("azurite")
def test_a_wrong_key_of_azure(servers: Servers, take: Path) -> None:
    store = store_of(replace(servers("azurite"), secret_key=SECRET))
    for act in acts(store, take).values():
        # Azure itself says AuthenticationFailed, azurite says AuthorizationFailure.
        refused(act, r"refuses the key|does not allow this")
    store = store_of(replace(servers("azurite"), secret_key="no Base64 at all"))
    refused(acts(store, take)["put"], "refuses the key")


@pytest.mark.parametrize("name", grouped)
@pytest.mark.parametrize("act", ["put", "open", "stat", "delete", "list"])
def test_a_bucket_that_is_not_there(servers: Servers, take: Path, name: str, act: str) -> None:
    store = store_of(replace(servers(name), bucket="another-bucket"))
    assert "Make it" in refused(acts(store, take)[act], "there is no bucket another-bucket").advice


@pytest.mark.xdist_group("moto")
def test_a_name_that_no_bucket_can_have(servers: Servers, take: Path) -> None:
    store = store_of(replace(servers("moto"), bucket="no bucket/at all"))
    refused(acts(store, take)["put"], "cannot be the name of a bucket")


@pytest.mark.xdist_group("moto")
def test_a_key_without_rights(servers: Servers, take: Path) -> None:
    moto = servers("moto")
    check_signatures(moto.endpoint, wanted=False)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAll", "Resource": "*"}]}
    access_key, secret_key = moto_user(moto.endpoint, policy)
    check_signatures(moto.endpoint)
    store = store_of(replace(moto, access_key=access_key, secret_key=secret_key))
    for name, act in acts(store, take).items():
        error = refused(act, "does not allow this")
        assert (name, "read, write, delete and list" in error.advice) == (name, True)


@pytest.mark.parametrize("kind", ["s3", "azure", "gcs"])
def test_nobody_listens(take: Path, kind: str) -> None:
    store = store_of(replace(CANNED, type=kind, endpoint=f"http://127.0.0.1:{free_port()}"))
    refused(acts(store, take)["stat"], "does not answer")


@pytest.mark.parametrize("kind", ["s3", "azure", "gcs"])
def test_a_host_that_is_not_known(take: Path, kind: str) -> None:
    store = store_of(replace(CANNED, type=kind, endpoint="http://store.invalid"))
    assert "storage.endpoint" in refused(acts(store, take)["stat"], "host name is not known").advice


@pytest.mark.parametrize("kind", ["s3", "azure", "gcs"])
def test_a_certificate_of_nobodys_authority(take: Path, tmp_path: Path, kind: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with answering((200, ""), context=context) as url, answering((200, token())) as tokens:
        account = service_account(tmp_path, tokens) if kind == "gcs" else ""
        store = store_of(replace(CANNED, type=kind, endpoint=url, credentials_file=account))
        assert "REQUESTS_CA_BUNDLE" in refused(acts(store, take)["stat"], "certificate is not trusted").advice


@pytest.mark.parametrize(
    ("code", "text", "sentence"),
    [
        ("AuthenticationFailed", "The MAC signature is not the same", "refuses the key"),
        ("AuthenticationFailed", "Request date header too old: 'Thu, 26 Nov 2026'", "clock is wrong"),
        ("AuthenticationFailed", "Signature not valid in the specified time frame", "has run out"),
    ],
)
def test_what_azure_says_in_a_word(take: Path, code: str, text: str, sentence: str) -> None:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
    body = body.replace("</Message>", f"\n</Message><AuthenticationErrorDetail>{text}</AuthenticationErrorDetail>")
    with answering((403, body)) as url:
        refused(acts(store_of(replace(CANNED, type="azure", endpoint=url)), take)["put"], sentence)


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (403, "RequestTimeTooSkewed", "clock is wrong"),
        (400, "ExpiredToken", "has run out"),
        (301, "PermanentRedirect", "to another region"),
        (400, "AuthorizationHeaderMalformed", "to another region"),
        (503, "SlowDown", "too busy"),
        (500, "InternalError", "too busy"),
        (400, "EntityTooLarge", "answered EntityTooLarge"),
        (418, "A\nteapot <b>", "answered Ateapotb"),
    ],
)
@pytest.mark.parametrize("act", ["put", "stat", "list"])
def test_what_s3_says_in_a_word(take: Path, status: int, code: str, sentence: str, act: str) -> None:
    body = s3_error(code.replace("<", "&lt;"))
    with answering((status, body)) as url:
        refused(acts(store_of(replace(CANNED, endpoint=url)), take)[act], sentence)


def test_a_store_that_is_busy_for_a_moment_is_asked_again() -> None:
    listed = '<?xml version="1.0"?><ListBucketResult><Name>b</Name><KeyCount>0</KeyCount></ListBucketResult>'
    with answering((503, s3_error("SlowDown")), (500, s3_error("InternalError")), (200, listed)) as url:
        assert list(store_of(replace(CANNED, endpoint=url)).list()) == []


def test_an_endpoint_that_is_no_address(take: Path) -> None:
    store = store_of(replace(CANNED, endpoint="http://[not an address"))
    assert "https://HOST" in refused(acts(store, take)["put"], "no address").advice


def test_no_key_anywhere(take: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    bare = replace(CANNED, access_key="", secret_key="", prefix="no-key-anywhere")
    for kind in ("s3", "gcs"):
        refused(acts(store_of(replace(bare, type=kind)), take)["put"], "no key for the store was found")


@pytest.mark.xdist_group("moto")
def test_keys_of_the_environment(servers: Servers, take: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = servers("moto")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret_key)
    store = store_of(replace(moto, access_key="", secret_key="", prefix="environment"))
    acts(store, take)["put"]()
    assert list(store.list()) == [KEY]


class TestAzureKeys:
    """A SAS token and a connection string in place of the account's key."""

    pytestmark = pytest.mark.xdist_group("azurite")

    def sas(self, azurite: StorageSettings, rights: str, seconds: float) -> StorageSettings:
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        expiry = datetime.now(UTC) + timedelta(seconds=seconds)
        token = generate_container_sas(
            "voicemail",
            azurite.bucket,
            account_key=azurite.secret_key,
            permission=ContainerSasPermissions.from_string(rights),
            expiry=expiry,
        )
        return replace(azurite, secret_key=token, prefix=f"sas-{rights}")

    def test_a_sas_token(self, servers: Servers, take: Path) -> None:
        store = store_of(self.sas(servers("azurite"), "racwdl", 600))
        for act in acts(store, take).values():
            act()
        assert store.presigned_url(KEY, 60) is None

    def test_a_sas_token_without_rights(self, servers: Servers, take: Path) -> None:
        store = store_of(self.sas(servers("azurite"), "l", 600))
        refused(acts(store, take)["put"], "does not allow this")

    def test_a_sas_token_that_has_run_out(self, servers: Servers, take: Path) -> None:
        storage = self.sas(servers("azurite"), "racwdl", -600)
        error = refused(acts(store_of(storage), take)["put"], "the store")
        assert storage.secret_key not in f"{error}{error.advice}"

    def test_a_connection_string(self, servers: Servers, take: Path) -> None:
        azurite = servers("azurite")
        text = (
            f"DefaultEndpointsProtocol=http;AccountName=voicemail;AccountKey={azurite.secret_key};"
            f"BlobEndpoint={azurite.endpoint};"
        )
        alone = StorageSettings(type="azure", bucket=azurite.bucket, connection_string=text, prefix="string")
        store = store_of(alone)
        acts(store, take)["put"]()
        assert list(store.list()) == [KEY]
        assert store.presigned_url(KEY, 60)

    def test_a_connection_string_that_is_none(self, take: Path) -> None:
        store = store_of(StorageSettings(type="azure", bucket="recordings", connection_string=SECRET))
        refused(acts(store, take)["put"], "storage.connection_string")


def token() -> str:
    return json.dumps({"access_token": "a token", "expires_in": 3600, "token_type": "Bearer"})


def service_account(folder: Path, url: str) -> str:
    """A service account's file, whose tokens come from the address."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account", "project_id": "voicemail", "private_key_id": "1", "private_key": key.decode(),
        "client_email": "voicemail@example.com", "client_id": "1", "token_uri": f"{url}/token",
    }  # fmt: skip
    path = folder / "account.json"
    path.write_text(json.dumps(content))
    return str(path)


class TestGoogleKeys:
    """A service account's file."""

    pytestmark = pytest.mark.xdist_group("gcs")

    def test_its_tokens_are_fetched(self, servers: Servers, take: Path, tmp_path: Path) -> None:
        with answering((200, token())) as url:
            account = service_account(tmp_path, url)
            store = store_of(replace(servers("gcs"), credentials_file=account, prefix="account"))
            acts(store, take)["put"]()
            assert list(store.list()) == [KEY]
            assert "X-Goog-Signature=" in store.presigned_url(KEY, 60)

    def test_an_account_that_was_removed(self, servers: Servers, take: Path, tmp_path: Path) -> None:
        with answering((400, json.dumps({"error": "invalid_grant", "error_description": "Not a valid email"}))) as url:
            account = service_account(tmp_path, url)
            store = store_of(replace(servers("gcs"), credentials_file=account))
            refused(acts(store, take)["put"], "refuses the key")

    def test_a_file_that_is_none(self, take: Path, tmp_path: Path) -> None:
        for name in ("none.json", "take.wav"):
            storage = StorageSettings(type="gcs", bucket="recordings", credentials_file=str(tmp_path / name))
            refused(acts(store_of(storage), take)["put"], "storage.credentials_file")

    @pytest.mark.parametrize(("status", "sentence"), [(401, "no key"), (403, "does not allow"), (429, "busy")])
    def test_what_google_says(self, take: Path, status: int, sentence: str) -> None:
        with answering((status, json.dumps({"error": {"code": status, "message": "no"}}))) as url:
            store = GcsStore(StorageSettings(type="gcs", bucket="recordings", endpoint=url))
            refused(acts(store, take)["stat"], sentence)
