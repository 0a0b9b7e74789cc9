"""What must hold before anything starts; each fault is a SettingsError that names the setting to change."""

from __future__ import annotations

import errno
import os
import socket

import redis
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from app.config import Settings, SettingsError
from app.database import engine_options, url_of

CONNECT_SECONDS = 5


def check_ports(settings: Settings) -> None:
    """The portal's and the voice worker's port can be taken."""
    _check_port(settings.web.host, settings.web.port, socket.SOCK_STREAM, "WEB")
    if settings.voice_enabled:
        _check_port(settings.sip.host, settings.sip.port, socket.SOCK_DGRAM, "SIP")


def _check_port(host: str, port: int, kind: socket.SocketKind, name: str) -> None:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise SettingsError(f"{name}_HOST", f"{host} is not an address: {error.strerror}") from None
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            # As the portal does: connections that just ended do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise _port_error(error, host, port, kind, name) from None


def _port_error(error: OSError, host: str, port: int, kind: socket.SocketKind, name: str) -> SettingsError:
    protocol = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    if error.errno == errno.EADDRINUSE:
        reason = f"{protocol} port {port} of {host} is in use by another program; choose another, e.g. {port + 10}"
        return SettingsError(f"{name}_PORT", reason)
    if error.errno == errno.EACCES:
        return SettingsError(f"{name}_PORT", f"this user may not take {protocol} port {port}; choose one above 1023")
    if error.errno == errno.EADDRNOTAVAIL:
        return SettingsError(f"{name}_HOST", f"{host} is not an address of this machine")
    return SettingsError(f"{name}_PORT", f"{protocol} port {port} of {host} cannot be taken: {error.strerror}")


def check_database(settings: Settings) -> None:
    """The database answers a query."""
    engine = open_engine(settings)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        where, reason = describe(engine.url), reason_of(error, engine.url)
        raise SettingsError("DATABASE_URL", f"{where} cannot be reached: {reason}") from None
    finally:
        engine.dispose()


def open_engine(settings: Settings) -> Engine:
    """An engine that notices within seconds that its database is away; SettingsError where the URL makes no sense."""
    try:
        url = url_of(settings)
        return create_engine(url, **engine_options(url))
    except NoSuchModuleError:
        reason = "must begin with sqlite:///, postgresql:// or mysql://"
    except ArgumentError:
        reason = "is not an address such as postgresql://user:password@host/name"
    except ModuleNotFoundError as error:
        reason = f"asks for the driver {error.name}, which is not installed; leave the part after + away"
    raise SettingsError("DATABASE_URL", reason)


def describe(url: URL) -> str:
    """A database's address for people: no user, no password, no options."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite {url.database or 'in memory'}"
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or 'localhost'}{port}/{url.database or ''}"


def reason_of(error: Exception, url: URL) -> str:
    """The first line of what the driver says, without the password."""
    origin = getattr(error, "orig", None) or error
    said = str(origin.args[-1] if origin.args else origin).strip()
    line = said.splitlines()[0] if said else type(origin).__name__
    return line.replace(str(url.password), "***") if url.password else line


def check_redis(settings: Settings) -> None:
    """Redis answers, where REDIS_URL names one."""
    if uses_embedded_valkey(settings):
        return
    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=5
        ) as client:
            client.ping()
    except ValueError:
        raise SettingsError("REDIS_URL", "is not an address such as redis://host:6379/0") from None
    except (redis.RedisError, OSError) as error:
        password = client.connection_pool.connection_kwargs.get("password")
        reason = str(error).replace(password, "***") if password else str(error)
        raise SettingsError("REDIS_URL", f"cannot be reached: {reason}") from None


def uses_embedded_valkey(settings: Settings) -> bool:
    """Whether nothing names a Redis, so that we start our own."""
    return "redis_url" not in settings.sources


def check_writable(settings: Settings) -> None:
    """The instance folder belongs to us."""
    if not os.access(settings.instance, os.W_OK | os.X_OK):
        raise SettingsError("VOICEMAIL_INSTANCE", f"{settings.instance} cannot be written to by this user")
