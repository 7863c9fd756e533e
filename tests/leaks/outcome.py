"""All that a server lets a login see of a statement: rows, counts, errors with every field, notices."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg
from psycopg import pq

from tests.leaks.catalog import Connection
from tests.leaks.fill import NOBODY, OTHER

_FIELDS = (
    pq.DiagnosticField.MESSAGE_PRIMARY,
    pq.DiagnosticField.MESSAGE_DETAIL,
    pq.DiagnosticField.MESSAGE_HINT,
    pq.DiagnosticField.CONTEXT,
    pq.DiagnosticField.CONSTRAINT_NAME,
    pq.DiagnosticField.COLUMN_NAME,
)
DENIED = "42501"
HIDDEN = ("42P01", "42883")
"""No such relation or function: so says the server to a login that may not even look into the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    rows: list[str] = field(default_factory=list)
    touched: int = 0
    sqlstate: str = ""
    said: str = ""
    """The error with its fields, and notices."""

    @property
    def text(self) -> str:
        return "\n".join([*self.rows, self.said])

    @property
    def as_if_nobody(self) -> tuple[object, ...]:
        """The same with the other tenant's marks in the place of one that does not exist."""
        return [unnamed(row) for row in self.rows], self.touched, self.sqlstate, unnamed(self.said)

    @property
    def is_denied(self) -> bool:
        """By a grant, not by a policy."""
        return self.sqlstate in (DENIED, *HIDDEN) and "row-level security" not in self.said


def unnamed(text: str) -> str:
    """A statement about the other tenant as one about a tenant that does not exist."""
    return text.replace(OTHER.hex, NOBODY.hex).replace(OTHER.word, NOBODY.word)


class Visit:
    """A connection of one login. What it is asked is rolled back."""

    def __init__(self, connection: Connection) -> None:
        self._pg = connection.pgconn
        self._notices: list[str] = []
        connection.add_notice_handler(lambda notice: self._notices.append(notice.message_primary or ""))

    def ask(self, setting: str, statement: str) -> Outcome:
        """Run in a transaction after `setting`, such as `set local app.current_tenant_id = '…'`.

        Every login may write there as far as its grants go: to be read-only is a default that a session can leave.
        """
        self._notices.clear()
        try:
            return self._outcome(self._pg.exec_(f"begin read write; {setting}; {statement}".encode()))
        finally:
            self._pg.exec_(b"rollback")

    def leave(self, setting: str) -> None:
        """A transaction that commits, as of somebody who had the connection before."""
        self._pg.exec_(f"begin; {setting}; select count(*) from email_tenants; commit".encode())
        self._pg.exec_(b"rollback")  # where the login may not even count

    def _outcome(self, result: psycopg.pq.abc.PGresult) -> Outcome:
        rows: list[str] = []
        if result.status == pq.ExecStatus.COPY_OUT:
            rows, result = self._copied_out()
        elif result.status == pq.ExecStatus.COPY_IN:
            result = self._copied_in()
        elif result.status == pq.ExecStatus.TUPLES_OK:
            rows = [_row(result, number) for number in range(result.ntuples)]
        said = [(result.error_field(each) or b"").decode() for each in _FIELDS]
        return Outcome(
            rows=rows,
            touched=result.command_tuples or 0,
            sqlstate=(result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode(),
            said="\n".join([*filter(None, said), *self._notices]),
        )

    def _copied_out(self) -> tuple[list[str], psycopg.pq.abc.PGresult]:
        rows = []
        while (line := self._pg.get_copy_data(0))[0] > 0:
            rows.append(bytes(line[1]).decode())
        return rows, self._last_result()

    def _copied_in(self) -> psycopg.pq.abc.PGresult:
        self._pg.put_copy_end()
        return self._last_result()

    def _last_result(self) -> psycopg.pq.abc.PGresult:
        last = self._pg.get_result()
        while another := self._pg.get_result():
            last = another
        assert last
        return last


def _row(result: psycopg.pq.abc.PGresult, number: int) -> str:
    return "|".join((result.get_value(number, column) or b"").decode() for column in range(result.nfields))
