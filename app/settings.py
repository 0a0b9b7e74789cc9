"""What settings there are: a section is a frozen dataclass, a setting one of its fields.

The metadata of a field carries the help line that docs/operations.md and the settings page show. How they are read is
said in app/config.py.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.hosts import bracketed

LANGUAGES = ("en", "zh", "ja", "es", "fr")
WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
PROJECT_ROOT = Path(__file__).resolve().parent.parent


def setting(default: Any, help: str, **meta: Any) -> Any:
    """A field with its help line; meta may hold secret, env, minimum, maximum, choices, kind, empty."""
    if isinstance(default, (list, dict)):
        raise TypeError("a default is immutable")
    return field(default=default, metadata={"help": help, **meta})


@dataclass(frozen=True)
class SmtpSettings:
    host: str = setting("", "Mail server; empty switches e-mail off")
    port: int = setting(587, "Its port; 465 is TLS from the start", minimum=1, maximum=65535)
    username: str = setting("", "User name, where the server asks for one")
    password: str = setting("", "Password", secret=True)
    sender: str = setting(
        "", "The From address, or Name <address>; empty: voicemail@ and the portal's host", key="from", kind="sender"
    )
    use_tls: bool = setting(True, "STARTTLS is required")
    ca_file: Path | None = setting(
        None, "Certificates (PEM) to trust beside the system's, for a server with a private CA", kind="path"
    )
    timeout: float = setting(
        20.0, "Seconds that the server may be silent, unless it has a whole mail to answer", minimum=0.1, maximum=120
    )
    total_timeout: float = setting(
        300.0, "Seconds that a mail may take, however slowly the server answers", minimum=0.1, maximum=500
    )
    attachment: str = setting(
        "wav",
        "What is attached where the mailbox does not say: none, wav (16-bit PCM) or mp3",
        choices=("none", "wav", "mp3"),
    )
    attachment_bytes: int = setting(
        10_000_000, "Largest recording to attach, before base64; a larger one is only linked to", minimum=0
    )


@dataclass(frozen=True)
class WebhookSettings:
    url: str = setting("", "Where what happens to messages is posted; empty switches it off", kind="url")
    headers: Mapping[str, str] = setting((), "Headers sent along, e.g. Authorization", kind="headers", secret=True)
    secret: str = setting(
        "", "Signs what is posted to that address; empty: one is made and shown in the portal", secret=True
    )
    allowed_networks: tuple[str, ...] = setting(
        (), "Private networks that the webhooks of all mailboxes may be in, e.g. 10.0.0.0/8", kind="networks"
    )
    audio_url_hours: int = setting(24, "Hours that a link to a recording works", minimum=1, maximum=8760)
    timeout_seconds: float = setting(10.0, "Seconds that a receiver gets for its answer", minimum=0.1, maximum=60)


@dataclass(frozen=True)
class StorageSettings:
    type: str = setting(
        "local",
        "local, s3, azure or gcs (gcp is the same)",
        choices=("local", "s3", "azure", "gcs", "gcp"),
        env="VOICEMAIL__STORAGE_TYPE",
    )
    folder: Path = setting(Path("recordings"), "Folder of the local store")
    bucket: str = setting("", "Bucket of S3 or GCS, container of Azure")
    region: str = setting("", "Region of an S3 bucket; empty: the environment's, else us-east-1")
    endpoint: str = setting("", "Address of the store, where it is not AWS, Azure or Google itself")
    access_key: str = setting(
        "", "Access key of S3; empty: the environment's own chain. Azure: name of the account", secret=True
    )
    secret_key: str = setting("", "Secret key of S3. Azure: key of the account, or a SAS token", secret=True)
    connection_string: str = setting("", "Azure: in place of account, key and endpoint", secret=True)
    credentials_file: str = setting("", "Service-account file of GCS; empty: Google's default chain")
    prefix: str = setting("", "Stands before each key, e.g. voicemail/, so that others may use the bucket too")
    addressing: str = setting(
        "auto",
        "S3: bucket in the path or in the host name (virtual); auto: virtual at AWS, OSS and COS, else path",
        choices=("auto", "path", "virtual"),
    )
    storage_class: str = setting("", "S3: storage class of new objects, e.g. STANDARD_IA; empty: the bucket's")
    encryption: str = setting(
        "", "S3: encryption asked for, AES256 or aws:kms; empty: the bucket's", choices=("", "AES256", "aws:kms")
    )
    kms_key: str = setting("", "S3: key of aws:kms; empty: the account's own")
    cache_bytes: int = setting(
        1_000_000_000, "Recordings of a remote store that each host keeps at hand, bytes; 0: none", minimum=0
    )


@dataclass(frozen=True)
class SipSettings:
    host: str = setting("0.0.0.0", "Address that the voice worker listens on", env="SIP_HOST")  # noqa: S104 - a PBX calls it
    port: int = setting(5060, "UDP port of the voice worker", env="SIP_PORT", minimum=1, maximum=65535)
    public_address: str = setting("", "IP address put into SDP and Contact; empty: the one the peer is reached from")
    rtp_ports: str = setting("20000-29999", "Range of UDP ports for audio", env="RTP_PORTS", kind="ports")
    trusted: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        "Networks that may call without a password, and whose Diversion, History-Info and RFC 4458 parameters count",
        kind="networks",
    )
    accounts: Mapping[str, str] = setting(
        (), "User names and passwords with which all others may call; digest", kind="table", secret=True
    )
    strangers: str = setting(
        "reject",
        "What others get where there are no accounts: reject (403) or silence (no answer at all)",
        choices=("silence", "reject"),
    )
    stranger_requests: float = setting(5.0, "Requests a second that a stranger's address gets answers to", minimum=0.1)
    stranger_requests_burst: int = setting(30, "So many at once, after a pause", minimum=1)
    stranger_calls: float = setting(
        2.0, "Calls a second that one address may place with a password; more get 503", minimum=0.01
    )
    stranger_calls_burst: int = setting(10, "So many at once, after a pause", minimum=1)
    registrar: str = setting(
        "", "PBX to register with (host, host:port or sip: URI); empty: trunk mode, no REGISTER", kind="registrar"
    )
    username: str = setting("voicemail", "User name at the registrar, and user part of our Contact")
    auth_username: str = setting("", "User name of the digest at the registrar; empty: the same")
    password: str = setting("", "Password at the registrar", secret=True)
    register_seconds: int = setting(
        3600, "How long a registration is asked for; the registrar decides", minimum=60, maximum=86400
    )
    subscribe_seconds: int = setting(3600, "Longest subscription to message waiting", minimum=60, maximum=86400)
    max_subscriptions: int = setting(
        5000, "Subscriptions to message waiting at a time, in one worker; more get 503", minimum=0, maximum=100_000
    )
    max_subscriptions_per_source: int = setting(
        1000, "The same for one IP address; a proxy in front counts as one", minimum=0, maximum=100_000
    )
    mwi_target: str = setting(
        "",
        "PBX that is told of waiting messages without a subscription (host, host:port or sip: URI); "
        "empty: the registrar, where there is one; off: none",
        kind="mwi_target",
    )
    mwi_user: str = setting(
        "{extension}",
        "Whom such a NOTIFY is for, at that PBX: {extension} stands for the mailbox's; @ and a domain may follow",
        kind="mwi_user",
    )
    mwi_refresh_seconds: int = setting(
        900, "Counts of waiting messages are sent again after this long, changed or not", minimum=60, maximum=86400
    )
    max_calls: int = setting(500, "Calls at a time; more get 503", minimum=1, maximum=5000)
    diverted_mailbox: str = setting(
        "first", "With several diversions: first (party called first) or last", choices=("first", "last")
    )
    general_mailbox: str = setting("", "Extension that takes calls for unknown mailboxes; empty: 404")
    drain_timeout: int = setting(
        30, "Seconds that running calls get at a stop; 3 under make run unless it is set", minimum=0, maximum=3600
    )
    media_timeout: int = setting(60, "Seconds without any RTP after which a call is ended", minimum=5, maximum=3600)


@dataclass(frozen=True)
class LimitSettings:
    upload_bytes: int = setting(30_000_000, "Largest file that may be uploaded", minimum=100_000)
    greeting_seconds: int = setting(180, "Longest greeting", minimum=5, maximum=600)
    free_disk_bytes: int = setting(
        200_000_000,
        "Below this much free disk in the spool, calls to mailboxes get 503, and Record and Voicemail end a call",
        minimum=0,
    )
    max_messages: int = setting(
        0, "Messages that a mailbox holds, the trash not counted; 0: any number", minimum=0, maximum=1_000_000
    )
    max_seconds: int = setting(0, "Seconds that all messages of a mailbox may last together; 0: any number", minimum=0)
    warn_percent: int = setting(
        90, "How full a mailbox is when its owner is warned, in percent of its limits", minimum=1, maximum=100
    )
    login_attempts: str = setting("10 per 15 minutes", "Wrong log-ins per address and per user name")
    api_requests: str = setting("600 per minute", "API requests per token or address")


@dataclass(frozen=True)
class PinSettings:
    minimum_length: int = setting(4, "Shortest PIN", minimum=4, maximum=8)
    maximum_length: int = setting(8, "Longest PIN", minimum=4, maximum=8)
    argon2_memory_kib: int = setting(65536, "Argon2id memory per hash, KiB", minimum=8192)
    argon2_time_cost: int = setting(3, "Argon2id passes", minimum=1)
    argon2_parallelism: int = setting(1, "Argon2id lanes", minimum=1)
    hashes_at_once: int = setting(2, "Hashes computed at a time in one process", minimum=1)


@dataclass(frozen=True)
class PhoneSettings:
    own_number: str = setting("*97", "Dialled by an extension to hear its own messages; empty: none")
    any_number: str = setting("*98", "Dialled to log in to any mailbox; empty: none")
    operator: str = setting("", "Number that key 0 leads to, where the mailbox has none of its own; empty: none")
    review: bool = setting(
        False,
        "After # a caller may listen, record again, or mark the message as urgent, unless the mailbox says otherwise",
    )
    speaks_envelope: bool = setting(
        True, "When and from whom is said before each message, unless the mailbox says otherwise"
    )
    star_login: str = setting(
        "inside",
        "Whom * in the greeting leads to log-in: never, inside (calls from extensions) or always",
        choices=("never", "inside", "always"),
    )


@dataclass(frozen=True)
class RetentionSettings:
    new_days: int = setting(
        0,
        "Days after which a message that nobody marked as read goes to the trash, unless the mailbox says otherwise; "
        "0: never",
        minimum=0,
        maximum=36500,
    )
    saved_days: int = setting(
        0,
        "The same for saved messages, counted anew when one is marked or taken back; 0: never",
        minimum=0,
        maximum=36500,
    )
    trash_days: int = setting(
        30,
        "Days that a deleted message stays in the trash, unless the mailbox says otherwise; 0: it goes within the hour",
        minimum=0,
        maximum=36500,
    )
    discarded_days: int = setting(7, "Days that a recording without speech is kept", minimum=0, maximum=36500)
    trimmed_days: int = setting(
        7, "Days that what was cut off the end of a message is kept; 0: it is not kept", minimum=0
    )
    event_days: int = setting(90, "Days that what happened in mailboxes is kept", minimum=1)


@dataclass(frozen=True)
class ProgrammableSettings:
    enabled: bool = setting(True, "Calls to numbers are answered by the TwiML documents of their URLs")
    account_sid: str = setting(
        "", "AC and 32 hexadecimal digits, the AccountSid of requests and of the REST calls; empty: one is made"
    )
    auth_token: str = setting(
        "",
        "Signs requests, and is the password of the REST calls; empty: one is made and shown in the portal",
        secret=True,
    )
    allowed_networks: tuple[str, ...] = setting(
        (),
        "Private networks of documents and sounds, e.g. 10.0.0.0/8; under make run this host, unless it is set",
        kind="networks",
    )
    timeout: float = setting(15.0, "Seconds that a server has for a document or a sound", minimum=0.1, maximum=60)
    strict: bool = setting(False, "What is wrong with a document ends it, where it is else left out with a notice")
    most_documents: int = setting(
        50,
        "Documents that may follow each other while the caller neither hears, does nor waits for anything",
        minimum=1,
    )
    sound_bytes: int = setting(20_000_000, "Largest file that Play fetches", minimum=1000)
    sound_seconds: float = setting(600.0, "Longest sound that Play fetches", minimum=1, maximum=3600)
    cache_bytes: int = setting(200_000_000, "Most that sounds of Play and Say take up beside a voice worker", minimum=0)
    speech_engine: str = setting(
        "pico",
        "Which engine says a language that both can: pico (at once) or kokoro (a better voice, some seconds later)",
        choices=("pico", "kokoro"),
    )
    recording_days: int = setting(0, "Days that a recording of Record is kept; 0: for ever", minimum=0, maximum=36500)
    trace_days: int = setting(30, "Days that the trace of a call is kept", minimum=1, maximum=36500)


@dataclass(frozen=True)
class DeliverySettings:
    lease_seconds: int = setting(60, "Lease of a running delivery; renewed while it works", minimum=2)
    retry_first_seconds: float = setting(5.0, "Wait before the second attempt; doubles each time", minimum=0.05)
    retry_longest_seconds: float = setting(3600.0, "Longest wait between attempts", minimum=0.05)
    give_up_seconds: int = setting(86400, "After this long a delivery has failed for good", minimum=1)
    upload_workers: int = setting(2, "Processes that upload recordings, on each host", minimum=1, maximum=32)
    email_workers: int = setting(2, "Processes that send e-mail, on each host", minimum=1, maximum=32)
    webhook_workers: int = setting(2, "Processes that call webhooks, on each host", minimum=1, maximum=32)
    relay_seconds: float = setting(1.0, "How often the relay looks for due deliveries", minimum=0.05)


@dataclass(frozen=True)
class WebSettings:
    host: str = setting("127.0.0.1", "Address of the portal", env="WEB_HOST")
    port: int = setting(8000, "Port of the portal", env="WEB_PORT", minimum=1, maximum=65535)
    public_url: str = setting(
        "", "How browsers reach the portal; empty: http://HOST:PORT", env="PUBLIC_URL", kind="url"
    )
    trusted_proxies: int = setting(0, "Reverse proxies in front whose X-Forwarded headers count", minimum=0, maximum=10)
    admin_password: str = setting("", "Password of the first admin", env="VOICEMAIL_ADMIN_PASSWORD", secret=True)
    session_hours: int = setting(12, "A log-in ends after this many hours without use", minimum=1)
    threads: int = setting(8, "Threads of the portal", minimum=1, maximum=256)


@dataclass(frozen=True)
class Settings:
    """All settings in force; frozen. `sources` maps a dotted key to where its value came from.

    Keys that share a name with a section attribute are dotted: `sip.port`, `web.port`.
    """

    instance: Path = setting(
        Path("instance"), "Folder of everything made at run time", env="VOICEMAIL_INSTANCE", file=False
    )
    config_file: Path | None = setting(None, "The settings file in force", env="VOICEMAIL_CONFIG", file=False)
    database_url: str = setting("", "Database; empty: SQLite in the instance folder", env="DATABASE_URL", secret=True)
    redis_url: str = setting("", "Redis or Valkey; empty: the embedded one", env="REDIS_URL", secret=True)
    secret_key: str = setting(
        "", "Signs sessions; empty: made at first start in the instance folder", env="SECRET_KEY", secret=True
    )
    encryption_key: str = setting(
        "",
        "Encrypts secrets in the database; several with commas, the newest first; empty: made in the instance folder",
        env="ENCRYPTION_KEY",
        secret=True,
    )
    host_name: str = setting("", "Name of this host in spool and queues; empty: the system's")
    language: str = setting("en", "Default language of prompts and pages", choices=LANGUAGES)
    timezone: str = setting("UTC", "Default time zone of new mailboxes", kind="timezone")
    spool_dir: Path = setting(Path("spool"), "Where recordings are written while calls run")
    sounds_dir: Path | None = setting(None, "Sounds laid over the built-in ones", kind="path")
    max_duration: float = setting(120.0, "Longest message, seconds", minimum=1, maximum=3600)
    silence_timeout: float = setting(5.0, "Silence that ends a message, seconds", minimum=0.5, maximum=60)
    min_duration: float = setting(0.0, "Shorter recordings are not messages, seconds", minimum=0, maximum=60)
    min_speech: float = setting(0.25, "Speech that a recording needs to be a message, seconds", minimum=0, maximum=60)
    trailing_silence: float = setting(
        0.5, "Silence left after the last word of a message, seconds; the rest is cut off", minimum=0.2, maximum=60
    )
    proxy_addons: tuple[str, ...] | None = setting(
        None,
        "[proxy] addons: without voicemail the voice worker is switched off",
        kind="addons",
        env="VOICEMAIL__PROXY__ADDONS",
    )
    smtp: SmtpSettings = field(default_factory=SmtpSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    sip: SipSettings = field(default_factory=SipSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    phone: PhoneSettings = field(default_factory=PhoneSettings)
    pin: PinSettings = field(default_factory=PinSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    programmable: ProgrammableSettings = field(default_factory=ProgrammableSettings)
    web: WebSettings = field(default_factory=WebSettings)
    sources: Mapping[str, str] = field(default_factory=dict, metadata={"internal": True})
    warnings: tuple[str, ...] = field(default=(), metadata={"internal": True})

    @property
    def voice_enabled(self) -> bool:
        """False where [proxy] addons is present without "voicemail"."""
        return self.proxy_addons is None or "voicemail" in self.proxy_addons

    @property
    def public_url(self) -> str:
        """The portal's address for people, without a slash at the end."""
        host = "127.0.0.1" if self.web.host in WILDCARDS else self.web.host
        return (self.web.public_url or f"http://{bracketed(host)}:{self.web.port}").rstrip("/")

    @property
    def rtp_range(self) -> tuple[int, int]:
        """First and last RTP port."""
        low, _, high = self.sip.rtp_ports.partition("-")
        return int(low), int(high)

    @property
    def secret_key_file(self) -> Path:
        return self.instance / "secret_key"

    @property
    def account_sid_file(self) -> Path:
        return self.instance / "account_sid"

    @property
    def auth_token_file(self) -> Path:
        return self.instance / "auth_token"

    @property
    def encryption_key_file(self) -> Path:
        return self.instance / "encryption_key"

    @property
    def valkey_socket(self) -> Path:
        """Unix socket of the embedded Valkey; short, since a socket's path has at most 107 bytes."""
        path = self.instance / "run" / "valkey.sock"
        if len(os.fsencode(path)) <= 100:
            return path
        return Path(tempfile.gettempdir()) / f"voicemail-{os.getuid()}-{abs(hash_of(str(self.instance)))}.sock"


def hash_of(text: str) -> int:
    """A number that is the same in every process (unlike hash())."""
    import zlib

    return zlib.crc32(text.encode())
