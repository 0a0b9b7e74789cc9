"""The test of the store says which step failed and what to do, and leaves nothing behind."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from app import doctor
from app.config import Settings, StorageSettings
from app.services.store_test import try_store
from app.storage import open_store
from tests.storage.servers import REMOTE, Servers, check_signatures, moto_user
from tests.support import free_port

STEPS = ("write", "read a range", "list", "delete")
grouped = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in REMOTE]


def with_rights(moto: StorageSettings, *actions: str) -> Settings:
    """The settings of somebody who may do this and no more."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    check_signatures(moto.endpoint, wanted=False)
    try:
        access_key, secret_key = moto_user(moto.endpoint, policy)
    finally:
        check_signatures(moto.endpoint)
    return Settings(storage=replace(moto, access_key=access_key, secret_key=secret_key, prefix=uuid.uuid4().hex))


@pytest.mark.parametrize("name", grouped)
def test_a_store_that_works(servers: Servers, name: str) -> None:
    settings = Settings(storage=replace(servers(name), prefix=uuid.uuid4().hex))
    report = try_store(settings)
    assert (report.works, report.done) == (True, STEPS), report.sentence
    assert list(open_store(settings).list()) == []
    assert doctor.storage(settings) == f"{settings.storage.type}: written, read and deleted"


@pytest.mark.xdist_group("moto")
@pytest.mark.parametrize(
    ("actions", "step"),
    [
        (("s3:GetObject", "s3:ListBucket", "s3:DeleteObject"), "write"),
        (("s3:PutObject", "s3:GetObject", "s3:ListBucket"), "delete"),
    ],
)
def test_a_right_that_is_missing_is_the_step_that_fails(servers: Servers, actions: tuple[str, ...], step: str) -> None:
    settings = with_rights(servers("moto"), *actions)
    report = try_store(settings)
    assert (report.step, report.done) == (step, STEPS[: STEPS.index(step)])
    assert "does not allow this" in report.said
    assert "read, write, delete and list" in report.advice
    with pytest.raises(doctor.Wrong, match=f"the step '{step}' failed"):
        doctor.storage(settings)


def test_a_store_that_is_away() -> None:
    away = StorageSettings(
        type="s3", bucket="b", endpoint=f"http://127.0.0.1:{free_port()}", access_key="a", secret_key="hush"
    )
    report = try_store(Settings(storage=away))
    assert (report.step, report.said) == ("write", "the store does not answer")
    assert "hush" not in report.sentence + report.advice


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    report = try_store(Settings(storage=StorageSettings(folder=tmp_path / "file")))
    assert report.step == "write"
    assert report.advice


def test_settings_that_cannot_work() -> None:
    report = try_store(Settings(storage=StorageSettings(type="s3")))
    assert report.step == "settings"
    assert "storage.bucket" in report.sentence
