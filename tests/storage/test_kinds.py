"""Which store the settings name, and what is told at the start where they cannot work."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app import create_app
from app.config import PROJECT_ROOT, Settings, SettingsError, StorageSettings
from app.storage import open_store
from app.storage.azure import AzureStore
from app.storage.gcs import GcsStore
from app.storage.local import LocalStore
from app.storage.s3 import S3Store
from tests.support import make_settings

S3 = StorageSettings(type="s3", bucket="recordings")
AZURE = StorageSettings(type="azure", bucket="recordings", access_key="account", secret_key="a2V5")


@pytest.mark.parametrize(
    ("storage", "kind"),
    [
        (StorageSettings(), LocalStore),
        (S3, S3Store),
        (AZURE, AzureStore),
        (replace(S3, type="gcs"), GcsStore),
        (replace(S3, type="gcp"), GcsStore),
    ],
)
def test_each_type_has_its_store(storage: StorageSettings, kind: type) -> None:
    assert type(open_store(Settings(storage=storage))) is kind


@pytest.mark.parametrize(
    ("storage", "key"),
    [
        (replace(S3, bucket=""), "storage.bucket"),
        (replace(AZURE, bucket=""), "storage.bucket"),
        (replace(S3, type="gcs", bucket=""), "storage.bucket"),
        (replace(S3, access_key="AKIA"), "storage.secret_key"),
        (replace(S3, secret_key="secret"), "storage.access_key"),
        (replace(AZURE, secret_key=""), "storage.access_key"),
    ],
)
def test_a_setting_that_is_missing_is_named_and_its_store_never_silently_local(
    storage: StorageSettings, key: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        open_store(Settings(storage=storage))
    assert refused.value.key == key


def test_the_start_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        create_app(make_settings(tmp_path, VOICEMAIL__STORAGE_TYPE="s3"))
    assert refused.value.key == "storage.bucket"


def test_a_process_has_one_store_and_its_child_another() -> None:
    settings = Settings(storage=S3)
    store = open_store(settings)
    assert open_store(settings) is store
    child = os.fork()
    if child == 0:
        os._exit(0 if open_store(settings) is not store else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_no_library_of_a_store_is_imported_before_its_first_use() -> None:
    code = (
        "import sys; from app.config import *; from app.storage import open_store;"
        "[open_store(Settings(storage=StorageSettings(type=kind, bucket='b', access_key='a', secret_key='a2V5')))"
        " for kind in ('s3', 'azure', 'gcs')];"
        "print([name for name in ('boto3', 'azure.storage.blob', 'google.cloud.storage') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("endpoint", "addressing", "host"),
    [
        ("", "auto", "https://recordings.s3.amazonaws.com/"),
        ("https://minio.example:9000", "auto", "https://minio.example:9000/recordings/"),
        ("minio.example", "auto", "https://minio.example/recordings/"),
        ("https://s3.oss-cn-hangzhou.aliyuncs.com", "auto", "https://recordings.s3.oss-cn-hangzhou.aliyuncs.com/"),
        ("https://cos.ap-guangzhou.myqcloud.com", "auto", "https://recordings.cos.ap-guangzhou.myqcloud.com/"),
        ("https://minio.example", "virtual", "https://recordings.minio.example/"),
        ("https://s3.oss-cn-hangzhou.aliyuncs.com", "path", "https://s3.oss-cn-hangzhou.aliyuncs.com/recordings/"),
    ],
)
def test_the_bucket_stands_where_the_store_wants_it(endpoint: str, addressing: str, host: str) -> None:
    keys = {"access_key": "AKIA", "secret_key": "secret"}
    store = open_store(Settings(storage=replace(S3, endpoint=endpoint, addressing=addressing, **keys)))
    url = store.presigned_url("messages/a.wav", 60)
    assert url.startswith(f"{host}messages/a.wav?")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "secret" not in url
