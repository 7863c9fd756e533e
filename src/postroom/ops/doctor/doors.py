"""Doors: who may come in over the network, and who can listen."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from ipaddress import ip_address

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, psql


def encryption(patient: Patient) -> Iterator[Finding]:
    if patient.value("ssl") == "on":
        return
    listening = patient.value("listen_addresses")
    if patient.is_superuser and (found := patient.rows(QUERIES.addresses_in_files)):
        listening += "," + found[0]["setting"]
    public = [name for name in map(str.strip, listening.split(",")) if name and not _is_local(name)]
    (own,) = patient.rows(QUERIES.own_connection)
    seen_from = own["client"]
    if public or (seen_from and not _is_local(seen_from)):
        where = ", ".join(dict.fromkeys(public)) or seen_from
        yield Finding(
            severity=Severity.FAULT,
            what=f"The server is open to other machines ({where}) without TLS",
            why="Whoever is on the way reads the mail as it goes by.",
            mend=_closed(patient),
        )


def _closed(patient: Patient) -> str:
    """Without a certificate a server with TLS would not start again: then it is closed to other machines instead."""
    if patient.is_superuser and patient.rows(QUERIES.certificate)[0]["is_there"]:
        return psql("alter system set ssl = on", "select pg_reload_conf()")
    close = psql("alter system set listen_addresses = '127.0.0.1'")
    return f"{close} && {patient.restart()}  # or put a server.crt and a server.key into its data folder, and ask again"


def _is_local(name: str) -> bool:
    try:
        return ip_address(name.strip('"[]')).is_loopback
    except ValueError:
        return name == "localhost"


def open_doors(patient: Patient) -> Iterator[Finding]:
    patient.as_superuser()
    for row in patient.rows(QUERIES.open_doors):
        is_trust = row["auth_method"] == "trust"
        yield Finding(
            severity=Severity.FAULT if is_trust else Severity.WARNING,
            what=f"pg_hba.conf line {row['line_number']} lets {row['users']} into {row['databases']} from "
            f"{row['address']} {'without a password' if is_trust else 'with a password in the clear'}",
            why="Whoever gets to the port is in."
            if is_trust
            else "Whoever is on the way reads the password.",
            mend=f"sed -i '{row['line_number']}s/{row['auth_method']}/scram-sha-256/' "
            f"{shlex.quote(patient.value('hba_file'))} && {psql('select pg_reload_conf()')}",
        )


def wrong_doors(patient: Patient) -> Iterator[Finding]:
    patient.as_superuser()
    for row in patient.rows(QUERIES.wrong_doors):
        yield Finding(
            severity=Severity.FAULT,
            what=f"pg_hba.conf line {row['line_number']}: {row['error']}",
            why="The server goes on with the old lines; it will not start again.",
            mend=f"${{EDITOR:-vi}} +{row['line_number']} {shlex.quote(patient.value('hba_file'))}",
        )


CHECKS = (
    Check("tls", encryption),
    Check("open-door", open_doors),
    Check("door-file", wrong_doors),
)
