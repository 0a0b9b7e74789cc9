"""Where settings come from, and which of several sources counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from app.config import PROJECT_ROOT, Settings, load_settings
from app.settings_schema import schema_of

CUSTOMERS = """
spool_dir = "voicemail_spool"
max_duration = 120              # seconds
silence_timeout = 5             # seconds
language = "zh"                 # en zh ja es fr
sounds_dir = "config/sounds/voicemail"   # laid over the built-in sounds/
storage_type = "local"          # short for [voicemail.storage] type
"""
SECTIONS = """
[voicemail.smtp]
host = "mail.example.com"
port = 465
username = "voicemail"
password = "the mail password"
from = "voicemail@example.com"
use_tls = true

[voicemail.webhook]
url = "https://example.com/hook"
headers = { "Authorization" = "Bearer token" }

[voicemail.storage]
bucket = "recordings"
region = "eu-central-1"
endpoint = "https://s3.example.com"
access_key = "the access key"
secret_key = "the storage key"

[proxy]
addons = ["voicemail"]
modules = ["acl", "auth"]
"""


def load(folder: Path, document: str = "", **environment: str) -> Settings:
    """Settings of an instance whose file is this document."""
    folder.mkdir(exist_ok=True)
    (folder / "voicemail.toml").write_text(document, encoding="utf-8")
    return load_settings({"VOICEMAIL_INSTANCE": str(folder), **environment})


@pytest.mark.parametrize("head", ["", "[voicemail]\n"], ids=["at the top", "under [voicemail]"])
def test_a_customers_file_works_as_it_is(tmp_path: Path, head: str) -> None:
    settings = load(tmp_path, head + CUSTOMERS + SECTIONS)
    assert settings.warnings == ()
    assert settings.spool_dir == tmp_path / "voicemail_spool"
    assert settings.sounds_dir == tmp_path / "config/sounds/voicemail"
    assert (settings.max_duration, settings.silence_timeout, settings.language) == (120.0, 5.0, "zh")
    assert settings.storage.type == "local"
    smtp = settings.smtp
    assert (smtp.host, smtp.port, smtp.username, smtp.use_tls) == ("mail.example.com", 465, "voicemail", True)
    assert (smtp.password, smtp.sender) == ("the mail password", "voicemail@example.com")
    assert settings.webhook.url == "https://example.com/hook"
    assert dict(settings.webhook.headers) == {"Authorization": "Bearer token"}
    assert (settings.storage.bucket, settings.storage.secret_key) == ("recordings", "the storage key")
    assert settings.voice_enabled
    assert settings.sources["language"] == settings.sources["smtp.from"] == str(tmp_path / "voicemail.toml")


def test_headers_may_be_a_table_of_their_own(tmp_path: Path) -> None:
    settings = load(tmp_path, '[voicemail.webhook.headers]\nAuthorization = "Bearer token"\nX-Test = "1"\n')
    assert dict(settings.webhook.headers) == {"Authorization": "Bearer token", "X-Test": "1"}


@pytest.mark.parametrize(
    ("document", "enabled"),
    [
        ("", True),
        ("[proxy]\n", True),
        ('[proxy]\naddons = ["voicemail"]\n', True),
        ('[proxy]\naddons = ["wholesale", "voicemail"]\n', True),
        ("[proxy]\naddons = []\n", False),
        ('[proxy]\naddons = ["wholesale"]\n', False),
    ],
)
def test_the_proxys_addons_switch_the_voice_worker(tmp_path: Path, document: str, enabled: bool) -> None:
    assert load(tmp_path, document).voice_enabled is enabled


def test_the_addons_may_come_from_the_environment(tmp_path: Path) -> None:
    assert not load(tmp_path, VOICEMAIL__PROXY__ADDONS="wholesale, queue").voice_enabled
    document = "[proxy]\naddons = []\n"
    assert load(tmp_path, document, VOICEMAIL__PROXY__ADDONS="wholesale,voicemail").voice_enabled


def test_each_source_counts_over_the_one_before(tmp_path: Path) -> None:
    document = "[voicemail.sip]\nport = 5070\n"
    general = {"VOICEMAIL__SIP__PORT": "5080"}
    own = {"SIP_PORT": "5090"}
    default, file = load(tmp_path), load(tmp_path, document)
    environment, both = load(tmp_path, document, **general), load(tmp_path, document, **general, **own)
    assert [settings.sip.port for settings in (default, file, environment, both)] == [5060, 5070, 5080, 5090]
    assert [settings.sources.get("sip.port") for settings in (default, file, environment, both)] == [
        None,
        str(tmp_path / "voicemail.toml"),
        "VOICEMAIL__SIP__PORT",
        "SIP_PORT",
    ]


def test_what_is_under_voicemail_counts_over_the_top(tmp_path: Path) -> None:
    assert load(tmp_path, 'language = "fr"\n[voicemail]\nlanguage = "ja"\n').language == "ja"
    settings = load(tmp_path, '[sip]\nport = 5070\nhost = "127.0.0.1"\n[voicemail.sip]\nport = 5080\n')
    assert (settings.sip.port, settings.sip.host) == (5080, "127.0.0.1")


def test_the_short_name_of_the_storage_type(tmp_path: Path) -> None:
    assert load(tmp_path, 'storage_type = "s3"\n').storage.type == "s3"
    assert load(tmp_path, '[voicemail]\nstorage_type = "s3"\n').storage.type == "s3"
    assert load(tmp_path, 'storage_type = "s3"\n[voicemail.storage]\ntype = "azure"\n').storage.type == "azure"
    assert load(tmp_path, 'storage_type = "gcp"\n').storage.type == "gcs"
    assert load(tmp_path, VOICEMAIL__STORAGE_TYPE="s3").storage.type == "s3"
    assert load(tmp_path, VOICEMAIL__STORAGE__TYPE="s3").storage.type == "s3"


def test_every_key_of_the_file_may_come_from_the_environment(tmp_path: Path) -> None:
    values: dict[type | None, str] = {bool: "false", int: "20000000", float: "1.5", str: "text", Path: "some/folder"}
    special = {
        "ports": "20000-20100",
        "networks": "10.0.0.0/8, 192.0.2.0/24",
        "table": '{ "X" = "y" }',
        "headers": '{ "X" = "y" }',
        "url": "https://example.com",
        "timezone": "Europe/Paris",
        "path": "some/folder",
        "addons": "voicemail",
        "sender": "Voicemail <voicemail@example.com>",
        "mwi_user": "mwi-{extension}",
    }
    environment = {}
    for key in schema_of(Settings).values():
        value = special.get(key.meta.get("kind", "")) or values[key.type]
        if "maximum" in key.meta:
            value = str(key.meta["maximum"])
        elif key.meta.get("choices"):
            value = key.meta["choices"][-1]
        environment[key.variables[0]] = value
    settings = load(tmp_path, **environment)
    assert settings.warnings == ()
    assert {name: settings.sources[name] for name in schema_of(Settings)} == {
        key.name: key.variables[0] for key in schema_of(Settings).values()
    }
    assert settings.sip.trusted == ("10.0.0.0/8", "192.0.2.0/24")
    assert dict(settings.webhook.headers) == {"X": "y"}


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("the mail password\n", encoding="utf-8")
    (tmp_path / "key").write_text("signs the sessions\r\n", encoding="utf-8")
    settings = load(
        tmp_path,
        VOICEMAIL__SMTP__PASSWORD_FILE=str(tmp_path / "password"),
        SECRET_KEY_FILE=str(tmp_path / "key"),
    )
    assert (settings.smtp.password, settings.secret_key) == ("the mail password", "signs the sessions")
    assert settings.warnings == ()


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    settings = load(tmp_path, "[voicemail.sip]\nport = 5070\n", SIP_PORT="", VOICEMAIL__SMTP__HOST="", DATABASE_URL="")
    assert settings.sip.port == 5070
    assert settings.database_url == f"sqlite:///{tmp_path / 'voicemail.db'}"


def test_the_file_is_looked_for_where_it_is_said_to_be(tmp_path: Path) -> None:
    named = tmp_path / "other.toml"
    named.write_text('language = "ja"\n', encoding="utf-8")
    assert load(tmp_path / "instance", 'language = "fr"\n').language == "fr"
    assert load(tmp_path / "instance", 'language = "fr"\n', VOICEMAIL_CONFIG=str(named)).language == "ja"


def test_relative_paths_lie_in_the_instance_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    document = 'spool_dir = "a"\nsounds_dir = "./b"\n[storage]\nfolder = "c/../d"\n'
    settings = load(tmp_path / "x", document)
    assert settings.instance == tmp_path / "x"
    assert settings.spool_dir == tmp_path / "x" / "a"
    assert settings.sounds_dir == tmp_path / "x" / "b"
    assert settings.storage.folder.resolve() == tmp_path / "x" / "d"
    assert load(tmp_path, 'spool_dir = "/var/spool/voicemail"').spool_dir == Path("/var/spool/voicemail")
    assert load(tmp_path, 'spool_dir = "~/spool"').spool_dir == Path.home() / "spool"
    monkeypatch.chdir(tmp_path)
    assert load_settings({"VOICEMAIL_INSTANCE": "x"}).instance == tmp_path / "x"


def test_the_instance_is_the_projects_unless_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    assert load_settings({"VOICEMAIL_CONFIG": str(tmp_path / "empty.toml")}).instance == PROJECT_ROOT / "instance"


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(tmp_path)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.language = "fr"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.sip.port = 1  # type: ignore[misc]


def test_secrets_are_marked() -> None:
    secret = {key.name for key in schema_of(Settings).values() if key.secret}
    assert secret == {
        "database_url",
        "encryption_key",
        "programmable.auth_token",
        "redis_url",
        "secret_key",
        "sip.accounts",
        "sip.password",
        "smtp.password",
        "storage.access_key",
        "storage.secret_key",
        "storage.connection_string",
        "web.admin_password",
        "webhook.headers",
        "webhook.secret",
    }
    telling = ("password", "secret", "token", "headers")
    assert {key for key in schema_of(Settings) if any(word in key for word in telling)} <= secret


def test_every_setting_has_a_line_of_help() -> None:
    assert [key.name for key in schema_of(Settings).values() if len(key.meta["help"]) < 8] == []


def test_the_portals_address(tmp_path: Path) -> None:
    assert load(tmp_path).public_url == "http://127.0.0.1:8000"
    assert load(tmp_path, WEB_HOST="0.0.0.0", WEB_PORT="80").public_url == "http://127.0.0.1:80"
    assert load(tmp_path, WEB_HOST="::1").public_url == "http://[::1]:8000"
    assert load(tmp_path, PUBLIC_URL="https://vm.example.com/").public_url == "https://vm.example.com"


def test_the_path_of_the_embedded_valkey_fits_into_a_socket_address(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 50)
    deep.mkdir(parents=True)
    assert len(str(load(deep).valkey_socket)) < 108
    assert load(deep).valkey_socket == load(deep).valkey_socket
    assert load(tmp_path / "a").valkey_socket != load(deep).valkey_socket


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("pbx.example.com", "pbx.example.com"),
        (" PBX:5080 ", "pbx:5080"),
        ("sip:pbx.example.com", "pbx.example.com"),
        ("sip:10.0.0.1:5080;transport=UDP", "10.0.0.1:5080"),
        ("[2001:db8::1]:5080", "[2001:db8::1]:5080"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("", ""),
    ],
)
def test_a_registrar_is_a_host_a_port_or_a_uri(tmp_path: Path, written: str, read: str) -> None:
    assert load(tmp_path, f'[voicemail.sip]\nregistrar = "{written}"').sip.registrar == read


def test_who_is_told_of_waiting_messages(tmp_path: Path) -> None:
    sip = load(tmp_path, '[sip]\nmwi_target = " OFF "\nmwi_user = "mwi-{extension}@PBX.example:5070"\n').sip
    assert (sip.mwi_target, sip.mwi_user) == ("off", "mwi-{extension}@pbx.example:5070")
    assert load(tmp_path, '[sip]\nmwi_target = "sip:pbx.example;transport=udp"\n').sip.mwi_target == "pbx.example"
