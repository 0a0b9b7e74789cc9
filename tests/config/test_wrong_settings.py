"""Settings that are wrong: one line that names the key and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import create_app
from app.config import Settings, SettingsError, load_settings


def load(folder: Path, document: str | bytes = "", **environment: str) -> Settings:
    folder.mkdir(exist_ok=True)
    data = document.encode() if isinstance(document, str) else document
    (folder / "voicemail.toml").write_bytes(data)
    return load_settings({"VOICEMAIL_INSTANCE": str(folder), **environment})


@pytest.mark.parametrize(
    ("document", "key", "reason"),
    [
        ('language = "de"', "language", "must be one of en, zh, ja, es, fr, not 'de'"),
        ("language = 3", "language", "must be text, not 3"),
        ("language = true", "language", "must be text"),
        ("max_duration = 0", "max_duration", "must be from 1 to 3600, not 0"),
        ('max_duration = "long"', "max_duration", "must be a number, not 'long'"),
        ("max_duration = nan", "max_duration", "must be a number"),
        ("max_duration = inf", "max_duration", "must be a number"),
        ("max_duration = true", "max_duration", "must be a number"),
        ("max_duration = 1979-05-27", "max_duration", "must be a number"),
        ("max_duration = 1" + "0" * 400, "max_duration", "must be a number"),
        ("silence_timeout = -1", "silence_timeout", "must be from 0.5 to 60"),
        ("spool_dir = ''", "spool_dir", "must not be empty"),
        ("spool_dir = 7", "spool_dir", "must be text, not 7"),
        ('spool_dir = "~nobody-of-this-name/x"', "spool_dir", "names no home folder"),
        ('spool_dir = "a\\u0000b"', "spool_dir", "NUL character"),
        ('timezone = "Mars/Olympus"', "timezone", "'Mars/Olympus' is not a time zone"),
        ('timezone = "../../etc/passwd"', "timezone", "is not a time zone"),
        ('timezone = ""', "timezone", "is not a time zone"),
        ('storage_type = "ftp"', "storage.type", "must be one of local, s3, azure, gcs"),
        ("[voicemail.sip]\nport = 0", "sip.port", "must be from 1 to 65535, not 0"),
        ("[voicemail.sip]\nport = 5060.5", "sip.port", "must be a whole number"),
        ('[voicemail.sip]\nport = "５０６０x"', "sip.port", "must be a whole number"),
        ('[voicemail.sip]\nrtp_ports = "20000"', "sip.rtp_ports", "must be a range such as 20000-29999"),
        ('[voicemail.sip]\nrtp_ports = "²-³"', "sip.rtp_ports", "must be a range such as"),
        ('[voicemail.sip]\nrtp_ports = "30000-20000"', "sip.rtp_ports", "the lower port first"),
        ('[voicemail.sip]\nrtp_ports = "80-90"', "sip.rtp_ports", "between 1024 and 65535"),
        ('[voicemail.sip]\nrtp_ports = "2000-99999"', "sip.rtp_ports", "between 1024 and 65535"),
        ('[voicemail.sip]\ntrusted = ["10.0.0.0/99"]', "sip.trusted", "'10.0.0.0/99' is not a network"),
        ("[voicemail.sip]\ntrusted = [1]", "sip.trusted", "must be a list of texts"),
        ('[voicemail.sip.accounts]\na = ""', "sip.accounts", "must not be empty"),
        ("[voicemail.sip.accounts]\na = 1", "sip.accounts", "must be a table of texts"),
        ('[voicemail.sip]\nstrangers = "silence"\naccounts = { a = "b" }', "sip.strangers", "cannot be silence"),
        ('[voicemail.sip]\nstrangers = "maybe"', "sip.strangers", "must be one of silence, reject"),
        ("[voicemail.smtp]\nuse_tls = 'perhaps'", "smtp.use_tls", "must be true or false, not 'perhaps'"),
        ("[voicemail.smtp]\nfrom = 1", "smtp.from", "must be text"),
        ("[voicemail.webhook]\nheaders = 'x'", "webhook.headers", "must be a table of texts"),
        ("[voicemail.webhook]\nheaders = { a = 1 }", "webhook.headers", "must be a table of texts"),
        ("[voicemail.pin]\nminimum_length = 3", "pin.minimum_length", "must be from 4 to 8, not 3"),
        ("[voicemail.pin]\nminimum_length = 7\nmaximum_length = 6", "pin.minimum_length", "must not be above"),
        ('[voicemail.web]\npublic_url = "voicemail.example.com"', "web.public_url", "must be an http or https address"),
        ('[voicemail.web]\npublic_url = "javascript:alert(1)"', "web.public_url", "must be an http or https address"),
        ('[voicemail.web]\npublic_url = "http://["', "web.public_url", "must be an http or https address"),
        ('[voicemail.web]\npublic_url = "http://host:99999"', "web.public_url", "must be an http or https address"),
        ('host_name = "a b"', "host_name", "must be 1 to 64 letters"),
        ("voicemail = 3", "voicemail", "must be a table"),
        *(
            (f'[voicemail.sip]\nregistrar = "{value}"', "sip.registrar", "must be host, host:port or a sip: URI")
            for value in (
                "vm@pbx",
                "sip:vm@pbx",
                "pbx:0",
                "pbx:70000",
                "pbx:",
                "a b",
                "http://pbx",
                "10.0.0.300",
                "[::g]",
            )
        ),
        ('[voicemail.sip]\nmwi_target = "pbx:0"', "sip.mwi_target", "must be host, host:port or a sip: URI"),
        ('[voicemail.sip]\nmwi_user = "1001"', "sip.mwi_user", "must hold {extension} once"),
        ('[voicemail.sip]\nmwi_user = "{extension}>x"', "sip.mwi_user", "must hold {extension} once"),
        ('[voicemail.sip]\nmwi_user = "{extension}@a b"', "sip.mwi_user", "must be host, host:port or a sip: URI"),
        ('[voicemail.sip]\nregistrar = "sips:pbx"', "sip.registrar", "registration goes over UDP"),
        ('[voicemail.sip]\nregistrar = "sip:pbx;transport=tcp"', "sip.registrar", "transport=udp"),
        ("[voicemail.sip]\nregister_seconds = 30", "sip.register_seconds", "must be from 60 to 86400"),
        ("[proxy]\naddons = 3", "proxy_addons", "must be a list of texts"),
    ],
)
def test_a_wrong_value_is_named_with_its_reason(tmp_path: Path, document: str, key: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, document)
    assert refused.value.key.split(" ")[0] == key
    assert reason in refused.value.reason
    line = str(refused.value)
    assert line.startswith(f"setting {key}")
    assert "\n" not in line


def test_where_it_was_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, 'language = "de"')
    assert str(tmp_path / "voicemail.toml") in str(refused.value)


@pytest.mark.parametrize("variable", ["SIP_PORT", "VOICEMAIL__SIP__PORT"])
def test_a_wrong_variable_is_named_as_it_was_written(tmp_path: Path, variable: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, **{variable: "many"})
    assert str(refused.value) == f"setting {variable}: must be a whole number, not 'many'"


@pytest.mark.parametrize(
    "document", ["language = ", "[voicemail", "a = 1\na = 2", b"\xff\xfe", b"\0", "x" * 10_000], ids=range(6)
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, document: str | bytes) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, document)
    assert refused.value.key == str(tmp_path / "voicemail.toml")
    assert "is not valid TOML" in refused.value.reason


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(SettingsError) as refused:
            load_settings({"VOICEMAIL_INSTANCE": str(tmp_path), "VOICEMAIL_CONFIG": str(path)})
        assert (refused.value.key, refused.value.reason) == ("VOICEMAIL_CONFIG", f"{path} is not a file")


def test_a_secrets_file_must_be_there(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(SettingsError) as refused:
            load(tmp_path, SECRET_KEY_FILE=str(path))
        assert refused.value.key == "SECRET_KEY_FILE"


def test_an_instance_that_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(SettingsError) as refused:
        load_settings({"VOICEMAIL_INSTANCE": str(path)})
    assert (refused.value.key, refused.value.reason) == ("VOICEMAIL_INSTANCE", f"{path} is not a folder")


def test_a_home_that_nobody_has(tmp_path: Path) -> None:
    for variable in ("VOICEMAIL_INSTANCE", "VOICEMAIL_CONFIG"):
        with pytest.raises(SettingsError) as refused:
            load_settings({"VOICEMAIL_INSTANCE": str(tmp_path), variable: "~nobody-of-this-name/x"})
        assert refused.value.key == variable


@pytest.mark.parametrize(
    "document",
    [
        "[voicemail.smtp]\npassword = 8675309",
        "[voicemail.sip]\npassword = 8675309",
        "secret_key = 8675309",
        'database_url = ["8675309"]',
        "[voicemail.webhook]\nheaders = { Authorization = 8675309 }",
        '[voicemail.webhook]\nheaders = "8675309"',
    ],
)
def test_a_wrong_secret_is_not_repeated(tmp_path: Path, document: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, document)
    assert "8675309" not in str(refused.value)
    assert "must be" in refused.value.reason


def test_an_unknown_key_is_a_warning_with_the_nearest_name(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        'langage = "fr"\nzzz = 1\n[voicemail.smtp]\nhots = "x"\n[ua]\nport = 1\n',
        VOICEMAIL__SIP__PROT="1",
        VOICEMAIL__SMTP__PASWORD_FILE="/nowhere",
    )
    file = tmp_path / "voicemail.toml"
    assert set(settings.warnings) >= {
        f"unknown setting langage in {file}; did you mean language?",
        f"unknown setting zzz in {file}",
        f"unknown setting smtp.hots in {file}; did you mean smtp.host?",
        "unknown setting sip.prot in VOICEMAIL__SIP__PROT; did you mean sip.port?",
    }
    assert any("VOICEMAIL__SMTP__PASWORD_FILE" in line and "smtp.password" in line for line in settings.warnings)
    assert settings.language == "en"


def test_a_section_that_is_no_section_is_a_warning(tmp_path: Path) -> None:
    settings = load(tmp_path, 'sip = 5060\nproxy = "x"\n[language]\nname = "fr"\n')
    assert len(settings.warnings) == 3
    assert settings.sip.port == 5060


@pytest.mark.parametrize(
    "url",
    ["nonsense", "postgresql://host:port/name", "oracle://host/name", "postgresql+nothing://host/name", "http://x"],
)
def test_a_database_that_is_none_is_a_wrong_setting(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        create_app(load(tmp_path, DATABASE_URL=url))
    assert refused.value.key == "DATABASE_URL"
    assert url not in refused.value.reason
