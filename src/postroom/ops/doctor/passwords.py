"""Passwords: none of those that everybody tries first."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, identifier
from postroom.ops.provision import LOGINS

_WELL_KNOWN = (
    "postgres password postgresql secret admin root changeme change_me letmein welcome qwerty test example pass "
    "123456 12345678 123456789 1234 passw0rd password1 postroom email_service email service mysecretpassword "
    "supersecret default guest demo dev development"
).split()


def well_known_passwords(patient: Patient) -> Iterator[Finding]:
    patient.as_superuser()
    for row in patient.rows(QUERIES.verifiers):
        role = row["role"]
        tried = dict.fromkeys(["", *_WELL_KNOWN, role, role[::-1], f"{role}123", f"{role}1"])
        known = next((each for each in tried if matches(row["verifier"], each, role)), None)
        if known is not None:
            yield Finding(
                severity=Severity.FAULT,
                what=f"The password of {role} is a well-known one",
                why="It is on the list that everybody tries first: whoever reaches the port is in.",
                mend=_new_password(patient, role),
            )
        elif row["verifier"].startswith("md5"):
            yield Finding(
                severity=Severity.WARNING,
                what=f"The password of {role} is kept as MD5",
                why="Who sees the hash can sign in with it, and it is soon guessed; PostgreSQL is about to drop it.",
                mend=_new_password(patient, role),
            )


def matches(verifier: str, password: str, role: str) -> bool:
    """Whether a password is the one of a verifier, SCRAM-SHA-256 (RFC 5803) or MD5."""
    if verifier.startswith("md5"):
        return verifier[3:] == hashlib.md5(f"{password}{role}".encode(), usedforsecurity=False).hexdigest()
    kind, _, rest = verifier.partition("$")
    if kind != "SCRAM-SHA-256":
        return False
    turns, _, salt = rest.partition("$")[0].partition(":")
    stored = rest.partition("$")[2].partition(":")[0]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(turns))
    key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(key).digest(), base64.b64decode(stored))


def _new_password(patient: Patient, role: str) -> str:
    if role == "email_service" and patient.settings.service_password:
        new = 'POSTGRES_PASSWORD="$(openssl rand -hex 24)"'
        return f"{new} postroom up --detach  # and write the new one where the old one stands: .env or the environment"
    if role in LOGINS:
        return "postroom up --detach"
    return f"postroom psql --role postgres -- -c '\\password {identifier(role)}'"


CHECKS = (Check("default-password", well_known_passwords),)
