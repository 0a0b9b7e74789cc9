"""`flask doctor`: tests what Voicemail Pro relies on, a line each, and says what to do about what is wrong."""

from __future__ import annotations

import os
import shutil
import smtplib
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis
import soundfile
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.config import LANGUAGES, PROJECT_ROOT, Settings
from app.delivery.errors import DeliveryError
from app.doctor_numbers import numbers
from app.doctor_secrets import secrets
from app.doctor_sip import registrar, sip
from app.doctor_speech import speech
from app.findings import Doubtful, Wrong
from app.launch.checks import describe, open_engine, reason_of, uses_embedded_valkey
from app.mail.connection import connect
from app.mail.sender import sender_of
from app.migrate import is_current
from app.models.base import database_now
from app.services.prompts import catalogue
from app.services.store_test import try_store
from app.settings_schema import schema_of

ANSWER_SECONDS = 3.0
NAMED = 10
CLOCK_SECONDS = 2.0
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Check:
    """A subject for people, and a function that returns a sentence or raises Wrong."""

    subject: str
    examine: Callable[[Settings], str]


def run(settings: Settings) -> int:
    """Print a line a check to standard output; the number of those that failed."""
    failed = 0
    for check in CHECKS:
        try:
            mark, text = "ok", check.examine(settings)
        except Doubtful as doubt:
            mark, text = "doubtful", str(doubt)
        except Wrong as wrong:
            mark, text = "WRONG", str(wrong)
            failed += 1
        sys.stdout.write(f"{mark:<9} {check.subject:<12} {text}\n")
    return failed


def database(settings: Settings) -> str:
    """The database answers."""
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            connection.execute(select(1))
    except (SQLAlchemyError, OSError) as error:
        what = f"{describe(engine.url)} cannot be reached: {reason_of(error, engine.url)}"
        raise Wrong(what, "Start it, or correct DATABASE_URL") from None
    finally:
        engine.dispose()
    return describe(engine.url)


def migrations(settings: Settings) -> str:
    """Its tables are those of this version."""
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            current = is_current(connection)
    except (SQLAlchemyError, OSError):
        raise Wrong("the database cannot be asked", "See the database's line") from None
    finally:
        engine.dispose()
    if not current:
        raise Wrong("the tables are not those of this version", "Run: flask --app wsgi db upgrade")
    return "the tables are those of this version"


def messenger(settings: Settings) -> str:
    """Redis or the embedded Valkey answers, and a voice worker lives."""
    try:
        client = redis.Redis.from_url(
            settings.redis_url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=ANSWER_SECONDS
        )
        with client:
            version = client.info("server").get("redis_version", "")
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except ValueError:
        raise Wrong("REDIS_URL is not an address", "Write it as redis://host:6379/0") from None
    except (redis.RedisError, OSError) as error:
        embedded = uses_embedded_valkey(settings)
        advice = "It runs only while make run does" if embedded else "Start it, or correct REDIS_URL"
        raise Wrong(f"no answer: {type(error).__name__}", advice) from None
    if policy != "noeviction":
        raise Doubtful(f"its maxmemory-policy is {policy}, so it may drop jobs", "Set maxmemory-policy noeviction")
    return f"version {version}"


def storage(settings: Settings) -> str:
    """The store keeps a file, gives a part of it back and removes it."""
    report = try_store(settings)
    if not report.works:
        raise Wrong(report.sentence, report.advice)
    return report.sentence


def smtp(settings: Settings) -> str:
    """The mail server takes the log-in."""
    wanted = settings.smtp
    if not wanted.host:
        return "not set, no e-mail is sent"
    try:
        with connect(settings, ANSWER_SECONDS) as connection:
            connection.noop()
        sender = sender_of(settings)
    except DeliveryError as error:
        raise Wrong(str(error), "Check [voicemail.smtp]") from None
    if wanted.username and not (wanted.use_tls or wanted.port == smtplib.SMTP_SSL_PORT):
        raise Doubtful(f"{wanted.host}:{wanted.port} gets the password without TLS", "Set smtp.use_tls if it can do it")
    return f"{wanted.host}:{wanted.port}, from {sender.address}"


def prompts(settings: Settings) -> str:
    """Every prompt is there in every language that needs it, as a sound that can be read."""
    listed, missing = catalogue(), []
    for name, entry in listed.items():
        for language in entry.texts:
            folders = [folder for folder in (settings.sounds_dir, PROJECT_ROOT / "sounds") if folder]
            if not any(_is_sound(folder / language / f"{name}.wav") for folder in folders):
                missing.append(f"{language}/{name}")
    if missing:
        named = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        raise Wrong(f"missing or not readable: {named}", "Get sounds/ back from the release, or run sounds/make.py")
    return f"{len(listed)} prompts in {', '.join(LANGUAGES)}"


def _is_sound(path: Path) -> bool:
    try:
        return bool(soundfile.info(str(path)).frames > 0)
    except (RuntimeError, OSError):
        return False


def disk(settings: Settings) -> str:
    """There is room for recordings."""
    try:
        free = shutil.disk_usage(settings.spool_dir).free
    except OSError as error:
        raise Wrong(f"{settings.spool_dir}: {error.strerror}", "Make the folder, or correct spool_dir") from None
    limit, text = settings.limits.free_disk_bytes, f"{free / 1e9:.1f} GB free in {settings.spool_dir}"
    if free < limit:
        raise Wrong(f"{text}, calls get 503", f"Make room: limits.free_disk_bytes asks for {limit / 1e9:.1f} GB")
    if free < 5 * limit:
        raise Doubtful(text, f"Make room before {limit / 1e9:.1f} GB, below which calls get 503")
    return text


def clock(settings: Settings) -> str:
    """This host's clock and the database's agree."""
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            before = datetime.now(UTC)
            theirs = connection.execute(select(database_now())).scalar_one()
            after = datetime.now(UTC)
    except (SQLAlchemyError, OSError):
        raise Doubtful("the database's clock cannot be read", "See the database's line") from None
    finally:
        engine.dispose()
    apart = max(before - theirs, theirs - after, timedelta()).total_seconds()
    if apart > CLOCK_SECONDS:
        raise Wrong(f"{apart:.0f} s apart from the database's clock", "Let NTP set both (timedatectl set-ntp true)")
    return f"{after:%Y-%m-%d %H:%M:%S} UTC, as the database's"


def permissions(settings: Settings) -> str:
    """What we write to is ours, and secrets are not for others."""
    for folder in (settings.instance, settings.spool_dir):
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise Wrong(f"{folder} cannot be written to", "Give it to the user that runs Voicemail Pro (chown)")
    keys = [settings.secret_key_file, settings.encryption_key_file, settings.auth_token_file]
    private = [*keys, settings.spool_dir]
    if settings.config_file and _holds_secret(settings):
        private.append(settings.config_file)
    exposed = [path for path in private if path.exists() and path.stat().st_mode & OTHERS]
    if exposed:
        names = ", ".join(str(path) for path in exposed)
        raise Doubtful(f"others on this machine may look into {names}", f"Run: chmod go-rwx {names}")
    return "folders are ours, secrets are private"


def _holds_secret(settings: Settings) -> bool:
    secret = (key.name for key in schema_of(Settings).values() if key.secret)
    return any(settings.sources.get(name) == str(settings.config_file) for name in secret)


CHECKS = (
    Check("database", database),
    Check("migrations", migrations),
    Check("redis", messenger),
    Check("storage", storage),
    Check("secrets", secrets),
    Check("smtp", smtp),
    Check("sip", sip),
    Check("registrar", registrar),
    Check("numbers", numbers),
    Check("prompts", prompts),
    Check("speech", speech),
    Check("disk", disk),
    Check("clock", clock),
    Check("permissions", permissions),
)
