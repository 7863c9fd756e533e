"""Settings: read once from the environment and `.env`, then handed on as one frozen value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from postroom.errors import SettingError


def default_home(environment: Mapping[str, str], *, as_root: bool) -> Path:
    """Where a user's data lives unless told otherwise (XDG Base Directory; root's servers run as another user)."""
    if as_root:
        return Path("/var/lib/postroom")
    share = environment.get("XDG_DATA_HOME") or str(
        Path(environment.get("HOME", "~")).expanduser() / ".local/share"
    )
    return Path(share) / "postroom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Each field is the variable `POSTROOM_<FIELD>`; docs/reference/settings.md."""

    home: Path
    database_url: str | None = field(default=None, repr=False)
    """Administrator's URL of a PostgreSQL 16 or newer; without it the embedded server is used."""
    port: int | None = None
    """Port of the embedded server; without it a free one is chosen when the folder is made."""
    postgres_bin: Path | None = None
    """Folder of the PostgreSQL programs; without it the best that is found."""
    blob_store: str = "postgres"
    """`postgres`, `local:/folder` or `s3://bucket/prefix`."""
    s3_endpoint: str | None = None
    master_key: str | None = field(default=None, repr=False)
    """The key itself, and behind it older ones; before the command and the file."""
    master_key_command: str | None = None
    """What prints it: a secret store's own program; before the file."""
    master_key_file: Path | None = None
    """File with the key that protects credentials; without it `HOME/master.key`, made at first use."""
    signing_key_file: Path | None = None
    """File with the key that signs reports; without it `HOME/signing.key`, made at first use."""
    backup_key_file: Path | None = None
    """File with the key that seals backups; without it `HOME/backup.key`, made when they are switched on."""
    passwords_dir: Path | None = None
    """Folder with a file for each login whose password is given: `email_service`, `email_worker`, …"""
    service_password: str | None = field(default=None, repr=False)
    """Password of the login `email_service`; also read from `POSTGRES_PASSWORD`."""
    worker_password: str | None = field(default=None, repr=False)
    """Password of the login `email_worker`."""
    owner_password: str | None = field(default=None, repr=False)
    """Password of the login `email_owner`."""
    ca_file: Path | None = None
    """Certificates to trust besides the system's, for mail servers with their own authority."""
    oauth_google_client_id: str | None = None
    oauth_google_client_secret: str | None = field(default=None, repr=False)
    oauth_microsoft_client_id: str | None = None
    oauth_microsoft_client_secret: str | None = field(default=None, repr=False)
    oauth_client_id: str | None = None
    """For `--oauth URL`, with the secret and the scope."""
    oauth_client_secret: str | None = field(default=None, repr=False)
    oauth_scope: str | None = None
    ispdb_url: str | None = "https://autoconfig.thunderbird.net/v1.1/{domain}"
    """The list of mail providers that is asked where an account's server is not named; `none`: nobody is asked."""
    dns_server: str | None = None
    """`ADDRESS` or `ADDRESS:PORT` of the DNS server for that question; without it the system's."""
    statement_timeout_seconds: int = 60
    imap_timeout_seconds: int = 60
    smtp_timeout_seconds: int = 30
    """Also read from `SMTP_TIMEOUT`. The answer to a whole message may take twenty times as long."""
    outbox_lost_after_seconds: int = 60
    """How long nothing may be heard of a worker that sends a message, until it is not known whether it did."""
    imap_whole_bytes: int = 150 * 1024 * 1024
    """A larger message is fetched in parts."""
    batch_messages: int = 300
    batch_bytes: int = 6 * 1024 * 1024
    service_host: str = "127.0.0.1"
    """Where the service listens. Also read from `SERVICE_HOST`."""
    service_port: int = 8420
    """Also read from `SERVICE_PORT`."""
    service_connections: int = 10
    """The most connections to the database that one process of the service holds."""
    service_body_bytes: int = 32 * 1024 * 1024
    """A larger request is refused before it is read."""
    service_rate: str = "600/minute"
    """Requests that one key may make."""
    service_tenant_rate: str = "3000/minute"
    """Requests that all keys of a tenant may make together."""
    service_origins: str = ""
    """Origins whose pages may call the service (CORS), separated by commas."""
    jwt_jwks: str | None = None
    """Address or file with the public keys of the application's identity provider; without it no JWT is good."""
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_algorithms: str = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519"
    jwt_tenant_claim: str = "tenant"
    """The claim with the tenant's id."""
    jwt_user_claim: str = "sub"
    """The claim with the user's id, a UUID; `none`: a token opens the whole tenant."""
    jwt_scope_claim: str = "scope"
    jwt_scope_prefix: str = ""
    api_key: str | None = field(default=None, repr=False)
    """The key by which `postroom mcp` works."""
    redis_url: str | None = field(default=None, repr=False)
    """Where several processes of the service count their requests together. Also read from `REDIS_URL`."""
    run_mode: str = "production"
    """`production` or `development`; also read from `FLASK_ENV`."""
    imap_poll_interval: int = 300
    """Seconds between two looks at an account that has no `sync_interval` of its own; also read from
    `IMAP_POLL_INTERVAL`."""
    concurrency: int = 8
    """Accounts that one worker syncs at once."""
    connections_per_host: int = 10
    """Syncs at once on one mail server, of all workers together."""
    connections_per_account: int = 10
    """Connections that one account may take: one for the sync, the others wait for news."""
    push_connections: int = 1000
    """Connections on which one worker waits for news; 0 switches it off."""
    push_refresh_seconds: int = 1680
    """How often such a connection is renewed: servers end them after half an hour."""
    lease_seconds: int = 30
    """How long after the last sign of life of a worker its accounts are taken over."""
    slice_seconds: int = 120
    """How long a sync works while others wait, before it makes room for them."""
    webhook_networks: str = ""
    """Networks that webhooks may call although they are not public, separated by commas; these also without TLS."""
    webhook_timeout_seconds: int = 15
    """How long a call may take, whatever the receiver does."""
    log_level: str = "WARNING"
    """Also read from `LOG_LEVEL`."""


def load(environment: Mapping[str, str] | None = None, *, home: Path | None = None) -> Settings:
    """The settings of this run. Raises SettingError for a value that cannot be meant."""
    found = dict(os.environ if environment is None else environment)
    if environment is None:
        found = {
            **{name: value for name, value in dotenv_values(".env").items() if value is not None},
            **found,
        }
    for name, also in (
        ("LOG_LEVEL", "LOG_LEVEL"),
        ("RUN_MODE", "FLASK_ENV"),
        ("SERVICE_HOST", "SERVICE_HOST"),
        ("SERVICE_PORT", "SERVICE_PORT"),
        ("REDIS_URL", "REDIS_URL"),
        ("SERVICE_PASSWORD", "POSTGRES_PASSWORD"),
        ("SMTP_TIMEOUT_SECONDS", "SMTP_TIMEOUT"),
        ("IMAP_POLL_INTERVAL", "IMAP_POLL_INTERVAL"),
    ):
        if also in found:
            found.setdefault(f"POSTROOM_{name}", found[also])
    values = {
        each.name: _typed(
            f"POSTROOM_{each.name.upper()}", found[f"POSTROOM_{each.name.upper()}"], str(each.type)
        )
        for each in fields(Settings)
        if found.get(f"POSTROOM_{each.name.upper()}")
    }
    chosen = home or values.get("home") or default_home(found, as_root=os.geteuid() == 0)
    values["home"] = Path(chosen).expanduser().absolute()
    return Settings(**values)


def _typed(name: str, value: str, kind: str) -> Any:
    if kind.startswith("int"):
        if not value.isascii() or not value.isdigit():
            raise SettingError(name=name, value=value, expected="a whole number")
        return int(value)
    return Path(value) if kind.startswith("Path") else value
