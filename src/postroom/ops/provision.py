"""Provision: a server becomes a store: the database, the schema, and a password for every login."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from postroom.errors import (
    ClusterError,
    DatabaseFull,
    DatabaseUnreachable,
    ServerFenced,
    ServerUnfit,
    SettingError,
    StoreError,
    UsageError,
)
from postroom.ops import members
from postroom.ops.cluster import Cluster, ensure_secret
from postroom.ops.fitness import is_empty
from postroom.ops.home import Home, full_folder, load_secrets
from postroom.ops.making import SUPERUSER
from postroom.settings import Settings
from postroom.store.database import first_line, where_of
from postroom.store.migrate import is_current, migrate

DATABASE = "email_service"
LOGINS = (
    "email_owner",
    "email_service",
    "email_worker",
    "email_readonly",
    "email_backup",
    "email_monitor",
    "email_replication",
)
ROLES = (*LOGINS, "postgres")


class Site:
    """A store that answers, and the URLs to reach it with."""

    def __init__(self, admin_url: str, settings: Settings) -> None:
        self._admin_url = admin_url
        self._settings = settings

    @property
    def secrets(self) -> Path:
        """The file with the passwords of the logins."""
        return self._settings.home / "secrets.json"

    def url(self, role: str) -> str:
        """A connection URL. It holds the password: show it only to whoever asked for it."""
        if role == "postgres":
            return self._with_password(self._admin_url)
        if role not in LOGINS:
            raise UsageError(reason=f"There is no role {role!r}; there are {', '.join(ROLES)}.")
        parts = urlsplit(self._admin_url)
        where = parts.netloc.rpartition("@")[2]
        password = quote(_given(self._settings, role) or ensure_secret(self._settings.home, role), safe="")
        return urlunsplit(parts._replace(netloc=f"{role}:{password}@{where}"))

    def _with_password(self, url: str) -> str:
        """Where one of our own logins stands in for an administrator, its password need not stand in the URL."""
        parts = urlsplit(url)
        return self.url(parts.username) if parts.username in LOGINS and parts.password is None else url

    def environment(self, role: str) -> dict[str, str]:
        """The same for libpq's variables: a process list shows arguments to everybody, and these to nobody."""
        return _libpq(self.url(role))


def _given(settings: Settings, role: str) -> str | None:
    """The password that somebody chose for a login: in a file of its name, or for three of them in a variable."""
    file = settings.passwords_dir and settings.passwords_dir / role
    if file and file.exists():
        if password := file.read_text("utf-8").strip():
            return password
        raise SettingError(name=f"The file {file}", value="", expected="a password")
    given = {
        "email_service": settings.service_password,
        "email_worker": settings.worker_password,
        "email_owner": settings.owner_password,
    }
    return given.get(role)


def _libpq(url: str) -> dict[str, str]:
    parts = conninfo_to_dict(url)
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
        "sslmode": "PGSSLMODE",
        "sslrootcert": "PGSSLROOTCERT",
        "target_session_attrs": "PGTARGETSESSIONATTRS",
    }
    return {variable: str(parts[key]) for key, variable in names.items() if key in parts}


def open_site(
    settings: Settings, *, tell: Callable[[str], None] = lambda _: None, renew_passwords: bool = False
) -> Site:
    """The store of these settings, started and migrated if need be.

    On a server of one's own several machines may use one store. The logins keep the passwords that one of them gave
    until another is told to give new ones (`renew_passwords`): else each would lock the others out.

    Raises ClusterError, DatabaseUnreachable, SchemaTooNew or StoreError.
    """
    site = Site(_admin_url(settings), settings)
    if not renew_passwords and is_current(site.url("email_worker")):
        return site
    try:
        is_new = _ensure_database(site.url("postgres"))
    except DatabaseUnreachable as error:
        if settings.database_url or members.read(settings.home) is None:
            raise
        raise ClusterError(
            reason="No member of this store takes writes.", mend="See what each is: postroom standby status."
        ) from error
    migrate(site.url("postgres"), tell=tell)
    _ensure_passwords(site, may_change=is_new or renew_passwords or not settings.database_url)
    return site


def out_of_space(settings: Settings) -> DatabaseFull | None:
    """Why the embedded server went away, when it was for want of space: a log it cannot write ends PostgreSQL."""
    if settings.database_url or not (full := full_folder(Home(settings.home))):
        return None
    return DatabaseFull(reason=f"{full} is full, and the server has stopped")


def _admin_url(settings: Settings) -> str:
    if settings.database_url:
        parts = urlsplit(settings.database_url)
        if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
            raise UsageError(
                reason="POSTROOM_DATABASE_URL is not a PostgreSQL URL; write postgresql://user:password@host:5432/email_service."
            )
        return urlunsplit(parts._replace(path=parts.path if len(parts.path) > 1 else f"/{DATABASE}"))
    cluster = Cluster(settings.home, postgres_bin=settings.postgres_bin, port=settings.port)
    known = members.read(settings.home)
    try:
        endpoint = cluster.ensure_running()
    except ServerFenced:
        if known is None:
            raise
        # The store lives on elsewhere, and is reached from here.
        return known.url("postgres", load_secrets(settings.home)[SUPERUSER])
    if known:
        return known.url("postgres", endpoint.superuser_password)
    password = quote(endpoint.superuser_password, safe="")
    return f"postgresql://postgres:{password}@{endpoint.host}:{endpoint.port}/{DATABASE}"


def _ensure_database(url: str) -> bool:
    """Make the database where it is not there, and look whether it can hold the store. Whether it is empty."""
    try:
        connection = _connect(url)
    except psycopg.OperationalError as error:
        if not _make_database(url):
            raise DatabaseUnreachable(where=_where(url), reason=first_line(error)) from error
        connection = _connect(url)
    with connection:
        return is_empty(connection, _where(url))


def _make_database(url: str) -> bool:
    """Whether the database was missing, and is there now. Text must be UTF-8."""
    name = str(conninfo_to_dict(url)["dbname"])
    try:
        connection = _connect(urlunsplit(urlsplit(url)._replace(path="/postgres")))
    except psycopg.OperationalError:
        return False
    with connection:
        if connection.execute("select from pg_database where datname = %s", [name]).rowcount:
            return False
        statement = sql.SQL("create database {} encoding 'UTF8' template template0").format(
            sql.Identifier(name)
        )
        try:
            connection.execute(statement)
        except errors.DuplicateDatabase:
            pass  # another program was faster
        except psycopg.Error as error:
            reason = f"the database {name} is not there and cannot be made ({error.diag.message_primary})"
            mend = f"Make it as an administrator: create database {name} encoding 'UTF8' template template0."
            raise ServerUnfit(where=_where(url), reason=reason, mend=mend) from error
    return True


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, connect_timeout=10)


def _where(url: str) -> str:
    return where_of(url).partition("/")[0]


def _ensure_passwords(site: Site, *, may_change: bool) -> None:
    """Give every login the password of our folder, where it has another. Stored as SCRAM-SHA-256."""
    strangers = [role for role in LOGINS if not _gets_in(site.url(role))]
    if not strangers:
        return
    if not may_change:
        raise StoreError(
            reason=f"{', '.join(strangers)} do not get in with the passwords in {site.secrets}; copy that file from the "
            "machine that set them, or set new ones from here, which locks the others out: postroom up"
        )
    with psycopg.connect(site.url("postgres"), autocommit=True) as connection:
        for role in strangers:
            password = str(conninfo_to_dict(site.url(role))["password"])
            scrambled = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
            try:
                connection.execute(
                    sql.SQL("alter role {} password {}").format(
                        sql.Identifier(role), sql.Literal(scrambled.decode())
                    )
                )
            except psycopg.Error as error:
                reason = f"{role} could not be given a password: {error.diag.message_primary}"
                raise StoreError(reason=reason) from error


def _gets_in(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True
