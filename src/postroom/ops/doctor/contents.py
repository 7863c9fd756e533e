"""The mail itself: counters that add up, bytes for every row, a row for all bytes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from postroom.blobs.facade import GRACE_SECONDS
from postroom.blobs.local import LocalShelf
from postroom.ops.doctor.finding import Check, Finding, NotPossibleError, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, Row, psql

_COUNTED = """update email_folders f set total_count = c.total, unread_count = c.unread
from (select f.id, count(p.message_id) as total, count(p.message_id) filter (where not p.is_read) as unread
from email_folders f left join email_placements p
on p.tenant_id = f.tenant_id and p.folder_id = f.id and p.vanished_at is null and not p.is_hidden
where f.tenant_id = '{tenant}' group by f.id) c
where f.tenant_id = '{tenant}' and f.id = c.id and (f.total_count, f.unread_count) is distinct from (c.total, c.unread)"""
_UNNEEDED = """delete from email_blobs b where b.tenant_id = '{tenant}' and b.created_at < {before}
and not exists (select from email_messages m where m.tenant_id = b.tenant_id and m.raw_blob = b.sha256)
and not exists (select from email_attachments a where a.tenant_id = b.tenant_id and a.blob_hash = b.sha256)
and not exists (select from email_quarantine q where q.tenant_id = b.tenant_id and q.raw_blob = b.sha256)
and not exists (select from email_sends s where s.tenant_id = b.tenant_id and s.raw_blob = b.sha256)
and not exists (select from email_drafts d where d.tenant_id = b.tenant_id and d.raw_blob = b.sha256)"""


def counters(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows_of_all_tenants(QUERIES.wrong_counters):
        yield Finding(
            severity=Severity.WARNING,
            what=f"{row['folders']} folders of {row['tenant']} count wrongly, such as {row['example']}",
            why="People see mail that is not there, or miss some that is.",
            mend=_as_tenant(row["tenant_id"], _COUNTED.format(tenant=row["tenant_id"])),
        )


def unneeded_blobs(patient: Patient) -> Iterator[Finding]:
    before = _milliseconds(patient)
    for row in patient.rows_of_all_tenants(QUERIES.unneeded_blobs, before=before):
        yield Finding(
            severity=Severity.NOTE,
            what=f"{row['blobs']:,} blobs of {row['tenant']} belong to no mail and take {row['bytes'] >> 10:,} KB",
            why="Nobody can read them, and they are in every backup.",
            mend=_as_tenant(row["tenant_id"], _UNNEEDED.format(tenant=row["tenant_id"], before=before)),
        )


def hollow_blobs(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows_of_all_tenants(QUERIES.hollow_blobs):
        yield Finding(
            severity=Severity.FAULT,
            what=f"{row['blobs']:,} blobs of {row['tenant']} are not whole in the database, such as {row['example']}",
            why="The mail and attachments made of them cannot be read.",
            mend=f"postroom export --help  # save what can be read, then restore from a backup that has blob {row['example']}",
        )


def local_objects(patient: Patient) -> Iterator[Finding]:
    home = _home(patient)
    for tenant in patient.rows_of_all_tenants(QUERIES.tenants_with_objects):
        rows = patient.rows_of_all_tenants(QUERIES.objects, tenant_id=tenant["tenant_id"])
        paths = [Path(row["storage_path"]) for row in rows]
        if missing := sorted(str(place) for path in paths if not (place := _place(path, home)).exists()):
            yield Finding(
                severity=Severity.FAULT,
                what=f"{len(missing):,} files of {tenant['tenant']} are missing, such as {missing[0]}",
                why="The mail and attachments made of them cannot be read.",
                mend=f"cp -a BACKUP/{shlex.quote(missing[0].lstrip('/'))} {shlex.quote(missing[0])}  # from a backup, each of them",
            )
        if home:
            yield from _files_without_rows(home, tenant, {_below(path) for path in paths})
    if patient.settings.blob_store.startswith("s3:"):
        raise NotPossibleError("the objects in S3 are not compared with their rows")


def _home(patient: Patient) -> Path | None:
    """Where blobs are written now, if that is a folder."""
    kind, _, folder = patient.settings.blob_store.partition(":")
    return Path(folder).expanduser().absolute() if kind == "local" else None


def _place(path: Path, home: Path | None) -> Path:
    """Where a blob is read from: when its old folder is no more, it is looked for in the one of now."""
    return path if home is None or path.parents[2].is_dir() else home / _below(path)


def _below(path: Path) -> str:
    """`<tenant>/<aa>/<sha256>`: what an object is called in whatever folder."""
    return "/".join(path.parts[-3:])


def _files_without_rows(home: Path, tenant: Row, named: set[str]) -> Iterator[Finding]:
    paths = LocalShelf(home).older(str(tenant["tenant_id"]), GRACE_SECONDS)
    if strange := sorted(path for path in paths if path not in named):
        yield Finding(
            severity=Severity.NOTE,
            what=f"{len(strange):,} files of {tenant['tenant']} belong to no row, such as {home / strange[0]}",
            why="A program was killed before it could write the row; nobody can read them.",
            mend=f"postroom purge -t {shlex.quote(tenant['tenant'])}",
        )


def _as_tenant(tenant_id: UUID, statement: str) -> str:
    """The administrator may be bound by row security, as on a managed server."""
    return psql(f"set app.current_tenant_id = '{tenant_id}'", " ".join(statement.split()))


def _milliseconds(patient: Patient) -> int:
    return int((patient.now() - timedelta(seconds=GRACE_SECONDS)).timestamp() * 1000)


CHECKS = (
    Check("folder-counters", counters),
    Check("blob-without-mail", unneeded_blobs),
    Check("blob-not-whole", hollow_blobs),
    Check("blob-files", local_objects),
)
