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
    ca_file: Path | None = None
    """Certificates to trust besides the system's, for mail servers with their own authority."""
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
        ("SERVICE_PASSWORD", "POSTGRES_PASSWORD"),
        ("SMTP_TIMEOUT_SECONDS", "SMTP_TIMEOUT"),
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
