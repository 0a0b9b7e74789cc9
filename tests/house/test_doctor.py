"""flask doctor: what is well is `ok`, what is wrong is named with what to do."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app import create_app, doctor, doctor_speech, migrate
from app.config import Settings, load_settings
from app.extensions import db
from app.models import Number, Webhook
from app.secret_box import seal


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(10)
        yield peer


def settings(tmp_path: Path, **variables: object) -> Settings:
    given = {"VOICEMAIL_INSTANCE": str(tmp_path), "SIP_HOST": "127.0.0.1"} | {k: str(v) for k, v in variables.items()}
    made = load_settings(given)
    made.spool_dir.mkdir(exist_ok=True, mode=0o700)
    return made


def answering(peer: socket.socket, status: str) -> threading.Thread:
    """Answer one request with the status line; the request must be a whole OPTIONS."""

    def answer() -> None:
        request, source = peer.recvfrom(65535)
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0].startswith("OPTIONS sip:")
        assert body == b""
        kept = [line for line in lines if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
        assert len(kept) == 5
        peer.sendto("\r\n".join([status, *kept, "", ""]).encode(), source)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_a_database_and_its_tables(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    assert "SQLite" in doctor.database(mine)
    with pytest.raises(doctor.Wrong, match="db upgrade"):
        doctor.migrations(mine)
    migrate.upgrade(mine)
    assert doctor.migrations(mine)
    assert "UTC" in doctor.clock(mine)


def test_a_database_that_is_away_shows_no_password(tmp_path: Path) -> None:
    mine = settings(tmp_path, DATABASE_URL="postgresql://caller:s3cret@127.0.0.1:1/voicemail")
    with pytest.raises(doctor.Wrong, match="DATABASE_URL") as caught:
        doctor.database(mine)
    assert "s3cret" not in str(caught.value)


def test_a_store_is_written_read_and_emptied(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    assert "deleted" in doctor.storage(mine)
    assert [path for path in mine.storage.folder.rglob("*") if path.is_file()] == []


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file where a folder should be")
    with pytest.raises(doctor.Wrong, match="storage"):
        doctor.storage(settings(tmp_path))


def test_options_are_answered(tmp_path: Path, udp: socket.socket) -> None:
    thread = answering(udp, "SIP/2.0 200 OK")
    assert "answers" in doctor.sip(settings(tmp_path, SIP_PORT=udp.getsockname()[1]))
    thread.join()


def test_another_answer_is_wrong(tmp_path: Path, udp: socket.socket) -> None:
    thread = answering(udp, "SIP/2.0 503 Service Unavailable")
    with pytest.raises(doctor.Wrong, match="503"):
        doctor.sip(settings(tmp_path, SIP_PORT=udp.getsockname()[1]))
    thread.join()


def test_nobody_at_the_sip_port(tmp_path: Path, udp: socket.socket) -> None:
    port = udp.getsockname()[1]
    udp.close()
    with pytest.raises(doctor.Wrong, match="SIP_PORT"):
        doctor.sip(settings(tmp_path, SIP_PORT=port))


def test_a_voice_worker_that_is_switched_off_is_not_wrong(tmp_path: Path) -> None:
    (tmp_path / "voicemail.toml").write_text('[proxy]\naddons = ["other"]\n')
    assert "switched off" in doctor.sip(settings(tmp_path))


def registration(valkey: str, **state: str | None) -> None:
    worker = {"registered": {"registrar": "pbx:5080", "reason": "", "until": None, "next_try": None} | state}
    with redis.Redis.from_url(valkey) as client:
        client.set("voicemail:worker:host:5060", json.dumps(worker), ex=60)


def test_the_registration_is_what_the_voice_worker_says(tmp_path: Path, valkey: str) -> None:
    assert "not set" in doctor.registrar(settings(tmp_path, REDIS_URL=valkey))
    mine = settings(tmp_path, REDIS_URL=valkey, VOICEMAIL__SIP__REGISTRAR="pbx:5080")
    with pytest.raises(doctor.Doubtful, match="no voice worker"):
        doctor.registrar(mine)
    registration(valkey, state="registered", until="2026-01-01T00:00:00+00:00")
    assert "registered with pbx:5080 until 2026" in doctor.registrar(mine)
    registration(valkey, state="refused", reason="403 Forbidden")
    with pytest.raises(doctor.Wrong, match="refused at pbx:5080: 403 Forbidden"):
        doctor.registrar(mine)


def test_nobody_knows_of_a_registration_while_redis_is_away(tmp_path: Path) -> None:
    mine = settings(tmp_path, REDIS_URL="redis://127.0.0.1:1/0", VOICEMAIL__SIP__REGISTRAR="pbx:5080")
    with pytest.raises(doctor.Doubtful, match="Redis is away"):
        doctor.registrar(mine)


def test_every_prompt_is_there(tmp_path: Path) -> None:
    assert doctor.prompts(settings(tmp_path))


def test_a_prompt_that_is_no_sound_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounds" / "zh").mkdir(parents=True)
    (tmp_path / "sounds" / "zh" / "goodbye.wav").write_text("no sound")
    monkeypatch.setattr(doctor, "PROJECT_ROOT", tmp_path)
    with pytest.raises(doctor.Wrong, match=r"and [0-9]+ more"):
        doctor.prompts(settings(tmp_path))
    monkeypatch.setattr(doctor, "NAMED", 10_000)
    with pytest.raises(doctor.Wrong, match="zh/goodbye"):
        doctor.prompts(settings(tmp_path))


def test_little_disk_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(doctor.Wrong, match="503"):
        doctor.disk(settings(tmp_path, VOICEMAIL__LIMITS__FREE_DISK_BYTES=10**18))


def test_a_settings_file_with_a_password_that_others_may_read(tmp_path: Path) -> None:
    file = tmp_path / "voicemail.toml"
    file.write_text('[voicemail.smtp]\npassword = "s3cret"\n')
    file.chmod(0o644)
    with pytest.raises(doctor.Doubtful, match="chmod"):
        doctor.permissions(settings(tmp_path))
    file.chmod(0o600)
    assert doctor.permissions(settings(tmp_path))


def test_secrets_that_the_key_does_not_read(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    migrate.upgrade(mine)
    assert doctor.secrets(mine) == "none in the database yet"
    application = create_app(mine)
    with application.app_context():
        db.session.add(Webhook(scope="global", secret=seal(mine, "of a webhook")))
        db.session.commit()
        db.engine.dispose()
    assert doctor.secrets(mine) == "1 in the database can be read"
    mine.encryption_key_file.unlink()
    with pytest.raises(doctor.Wrong, match="encryption_key"):
        doctor.secrets(mine)


def test_a_mail_server_that_is_away(tmp_path: Path) -> None:
    variables = {"VOICEMAIL__SMTP__HOST": "127.0.0.1", "VOICEMAIL__SMTP__PORT": "1"}
    with pytest.raises(doctor.Wrong, match="smtp"):
        doctor.smtp(settings(tmp_path, **variables))
    assert "not set" in doctor.smtp(settings(tmp_path))


def test_the_number_of_faults_is_returned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = settings(tmp_path, SIP_PORT=1, REDIS_URL="redis://:s3cret@127.0.0.1:1/0")
    failed = doctor.run(mine)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(doctor.CHECKS)
    assert failed == sum(line.startswith("WRONG") for line in lines) > 0
    assert "s3cret" not in "\n".join(lines)


class TestSpeech:
    """Languages that texts of Say are spoken in."""

    def test_what_speaks_and_what_does_not(self, tmp_path: Path) -> None:
        spoken = doctor.speech(settings(tmp_path))
        assert spoken == "en (pico), es (pico), fr (pico), de (pico), it (pico); not spoken: zh, ja"

    def test_the_default_language_is_not_spoken(self, tmp_path: Path) -> None:
        mine = settings(tmp_path, VOICEMAIL__LANGUAGE="zh")
        with pytest.raises(doctor.Doubtful, match="the default language is not spoken") as doubt:
            doctor.speech(mine)
        assert "make speech" in str(doubt.value)

    def test_an_installation_of_another_version(self, tmp_path: Path) -> None:
        (tmp_path / "speech").mkdir()
        with pytest.raises(doctor.Doubtful, match="what make speech installed is of another version"):
            doctor.speech(settings(tmp_path))

    def test_nothing_answers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor_speech, "COMMAND", ["/bin/false"])
        with pytest.raises(doctor.Wrong, match="the engines cannot be asked"):
            doctor.speech(settings(tmp_path))

    def test_switched_off(self, tmp_path: Path) -> None:
        mine = settings(tmp_path, VOICEMAIL__PROGRAMMABLE__ENABLED="false")
        assert doctor.speech(mine) == "switched off: programmable.enabled"


class TestNumbers:
    """Numbers that documents answer."""

    @staticmethod
    def add(mine: Settings, *urls: str) -> None:
        migrate.upgrade(mine)
        with create_app(mine).app_context():
            db.session.add_all(
                Number(number=str(place), language="en", voice_url=url) for place, url in enumerate(urls)
            )
            db.session.commit()

    def test_none_and_good_ones(self, tmp_path: Path) -> None:
        mine = settings(tmp_path, PUBLIC_URL="https://voicemail.example.com")
        self.add(mine)
        assert doctor.numbers(mine) == "none yet"
        self.add(mine, "https://example.com/voice", "http://8.8.8.8/")
        assert doctor.numbers(mine) == "2 answered by documents"

    def test_switched_off(self, tmp_path: Path) -> None:
        mine = settings(tmp_path, VOICEMAIL__PROGRAMMABLE__ENABLED="false")
        self.add(mine, "https://example.com/voice")
        with pytest.raises(doctor.Doubtful, match="switched off"):
            doctor.numbers(mine)

    def test_private_ones(self, tmp_path: Path) -> None:
        mine = settings(tmp_path, REDIS_URL="redis://127.0.0.1:1/0")
        self.add(mine, "http://127.0.0.1:5000/voice")
        with pytest.raises(doctor.Doubtful, match=r"not allowed: 127\.0\.0\.1"):
            doctor.numbers(mine)
        allowed = settings(tmp_path, VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="127.0.0.0/8")
        assert doctor.numbers(allowed) == "1 answered by documents"
        # Under make run this host is allowed.
        assert doctor.numbers(settings(tmp_path)) == "1 answered by documents"

    def test_servers_elsewhere_do_not_reach_a_portal_on_loopback(self, tmp_path: Path) -> None:
        mine = settings(tmp_path, PUBLIC_URL="http://127.0.0.1:8000")
        self.add(mine, "https://example.com/voice")
        with pytest.raises(doctor.Doubtful, match=r"example\.com cannot fetch recordings"):
            doctor.numbers(mine)

    def test_no_database(self, tmp_path: Path) -> None:
        with pytest.raises(doctor.Wrong, match="the database's line"):
            doctor.numbers(settings(tmp_path))
