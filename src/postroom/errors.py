"""Every error raised on purpose. The docstring of a class is its sentence; its fields fill the blanks.

PostroomError                      exit code 1
├── UsageError                     2   the command line, or a value in it, is wrong
│   ├── SettingError
│   └── QuerySyntaxError
├── NotFound                       3   a tenant, account, folder or message is not there
│   └── NoServerFound                  no server for an address
├── SourceError                    4   a mailbox could not be read
│   ├── SignInRefused              5
│   │   └── SignInExpired              OAuth: a person must consent again
│   ├── CertificateRefused         5
│   ├── ConnectionFailed           6   host not found, refused, timed out, ended with a reason
│   │   ├── ConnectionDropped          ended in the middle, without a word
│   │   ├── ConnectionStalled          still open, and silent
│   │   └── Throttled                  asks for a pause
│   ├── NotAMailbox
│   ├── ArchiveRefused                 a tenant's archive that is damaged, or of another version
│   └── ServerMisbehaved
├── StoreError                     7   the database or the blob store
│   ├── DatabaseUnreachable
│   ├── ServerUnfit
│   ├── DatabaseFull
│   ├── DatabaseBusy                   it took too long, or others held what it needed
│   ├── Denied                         the login, or the user, may not do it
│   ├── SchemaTooNew
│   ├── SchemaChanged
│   ├── BlobStoreUnreachable
│   ├── BlobStoreFull
│   ├── NotErased                      rows or bytes of a tenant came back
│   ├── SignatureRefused               a report is not what was signed
│   ├── BlobDamaged
│   └── BlobMissing
├── ClusterError                   8   the embedded server
│   └── ServerFenced                   another one has taken its place
├── BackupError                   18   a backup could not be taken, read or restored
│   └── BackupDamaged                  it is not what was written
├── SendError                      11  a message could not be sent
│   ├── SendingUnavailable             the server is away, or does not let us in: nothing was sent
│   └── SendingInDoubt                 the connection ended between the message and the answer
├── TargetError                    10  an export could not be written
├── TenantSuspended                13  a tenant that is suspended, or mail that is held
├── TenantErasing                  13
├── Held                           13
├── AuditTampered                  14  an audit trail is not what was written
├── AccountBusy                   16  another process syncs the account
├── LeaseLost                     16  … and has taken it over from us
├── Partial                        9   the work is done but for some messages, which are named
├── Unequal                       15   verify found differences between store and server
└── Interrupted                  130   Ctrl-C or SIGTERM
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar


class PostroomError(Exception):
    """Something went wrong: {reason}."""

    exit_code: ClassVar[int] = 1

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """What happened, to what, and what to do: one sentence or two, for a person."""
        return " ".join(inspect.getdoc(type(self)).format(**self.fields).split())  # pyright: ignore[reportOptionalMemberAccess]

    def __str__(self) -> str:
        return self.sentence()


class UsageError(PostroomError):
    """{reason}"""

    exit_code = 2


class DraftChanged(UsageError):
    """Draft {draft} was changed, sent or deleted meanwhile; look at it again."""


class SettingError(UsageError):
    """{name} is {value!r}, which is not {expected}. Set it in the environment, in .env, or leave it out."""


class QuerySyntaxError(UsageError):
    """The search query is not understood at character {position}: {reason}.
    See the query language: postroom search --help."""


class NotFound(PostroomError):
    """There is no {what} {name!r}. {mend}"""

    exit_code = 3


class NoServerFound(NotFound):
    """No {protocol} server is found for {email}: neither its domain, nor DNS, nor the list of providers names one that
    can be believed. Name it: --host."""


class SourceError(PostroomError):
    """{where} could not be read: {reason}. {mend}"""

    exit_code = 4

    def __init__(self, *, where: str, reason: str = "", mend: str = "", **fields: Any) -> None:
        super().__init__(where=where, reason=reason, mend=mend, **fields)


class SignInRefused(SourceError):
    """{where} refused the sign-in: {reason}. Check the user name and the password: postroom account add --help."""

    exit_code = 5


class SignInExpired(SignInRefused):
    """{where} takes the sign-in no more: {reason}. Sign in again: {again}."""


class CertificateRefused(SourceError):
    """The certificate of {where} is not to be trusted: {reason}. Nothing was sent. {mend}"""

    exit_code = 5


class ConnectionFailed(SourceError):
    """{where} cannot be reached: {reason}. What was stored until then is kept; the next run goes on from there.
    {mend}"""

    exit_code = 6


class ConnectionDropped(ConnectionFailed):
    """{where} went away: {reason}. What was stored until then is kept; the next run goes on from there."""


class ConnectionStalled(ConnectionFailed):
    """{where} fell silent: {reason}. What was stored until then is kept; the next run goes on from there."""


class Throttled(ConnectionFailed):
    """{where} asks for a pause until {until}: {reason}. What was stored until then is kept; the next run goes on from there."""


class NotAMailbox(SourceError):
    """{where} is not mail: {reason}. Nothing of it was stored. {mend}"""


class ArchiveRefused(SourceError):
    """{where} is no whole archive of a tenant that can be read here: {reason}. Nothing was written. {mend}"""


class ServerMisbehaved(SourceError):
    """{where} broke the protocol: {reason}. What was stored until then is kept; the next run goes on from there."""


class TargetError(PostroomError):
    """{where} could not be written: {reason}. Nothing is left there. {mend}"""

    exit_code = 10

    def __init__(self, *, where: str, reason: str, mend: str = "") -> None:
        super().__init__(where=where, reason=reason, mend=mend)


class SendError(PostroomError):
    """{where} did not send it: {reason}. {mend}"""

    exit_code = 17

    def __init__(self, *, where: str, reason: str, mend: str = "") -> None:
        super().__init__(where=where, reason=reason, mend=mend)


class SendingUnavailable(SendError):
    """{where} takes no mail from us now: {reason}. Nothing was sent; it stays in the outbox and is tried again. {mend}"""


class SendingInDoubt(SendError):
    """Whether {where} took the message is not known: {reason}. It is not sent again by itself. {mend}"""


class StoreError(PostroomError):
    """The store could not do it: {reason}."""

    exit_code = 7


class DatabaseUnreachable(StoreError):
    """The database at {where} cannot be reached: {reason}. Start it: postroom up. If it is a server of your own, check
    POSTROOM_DATABASE_URL."""


class ServerUnfit(StoreError):
    """The PostgreSQL server at {where} cannot hold the store: {reason}. {mend}"""


class DatabaseFull(StoreError):
    """The database has no space left: {reason}. Free some space; what was committed is kept, the next run goes on."""


class DatabaseBusy(StoreError):
    """The database did not get to it: {reason}. Try it again."""


class Denied(StoreError):
    """The database does not allow it: {reason}."""


class SchemaTooNew(StoreError):
    """The database has schema version {found}, this program knows {known}. Use a newer Postroom; nothing was changed."""


class SchemaChanged(StoreError):
    """Migration {name} was applied with another content than this program carries. Nothing was changed.
    Install the version that applied it, or restore the file."""


class BlobStoreUnreachable(StoreError):
    """The blob store {where} cannot be used: {reason}. Check POSTROOM_BLOB_STORE; what was stored until then
    is kept."""


class BlobStoreFull(StoreError):
    """The blob store {where} has no space left. Free some space; what was stored is kept, the next run
    goes on."""


class NotErased(StoreError):
    """The tenant {name} is not erased yet: somebody still writes ({left}). End its syncs and imports, and erase it
    again; it goes on from there."""


class SignatureRefused(StoreError):
    """The report is not to be believed: {reason}."""


class BlobDamaged(StoreError):
    """The bytes of blob {sha256} {where} are not the ones its name promises. Restore them from a backup."""


class BlobMissing(StoreError):
    """The bytes of blob {sha256} are not in the {storage} store. Check it: postroom status."""


class ClusterError(PostroomError):
    """{reason} {mend}"""

    exit_code = 8

    def __init__(self, *, reason: str, mend: str = "") -> None:
        super().__init__(reason=reason, mend=mend)


class ServerFenced(ClusterError):
    """The server in {home} is fenced: {by} has taken its place{since}, and two that both take writes would drift apart.
    Make it a standby: postroom --data-dir {home} standby rejoin."""

    def __init__(self, *, home: object, by: str, since: str = "") -> None:
        PostroomError.__init__(self, home=home, by=by, since=since, reason="it is fenced", mend="")


class BackupError(PostroomError):
    """{reason} {mend}"""

    exit_code = 18

    def __init__(self, *, reason: str, mend: str = "") -> None:
        super().__init__(reason=reason, mend=mend)


class BackupDamaged(BackupError):
    """{reason} {mend}"""


class TenantSuspended(PostroomError):
    """Tenant {name} is suspended: its mail is kept, and nobody reads or writes it by Postroom until
    postroom tenant resume {name}."""

    exit_code = 13


class TenantErasing(PostroomError):
    """Tenant {name} is being erased: nobody reads, writes or holds its mail any more. An erasure that was interrupted goes
    on with postroom tenant erase {name} --yes-erase {name}."""

    exit_code = 13


class Held(PostroomError):
    """{what} is held by {hold}: nothing of it may be removed until postroom hold release -t {tenant} {hold}."""

    exit_code = 13


class AuditTampered(PostroomError):
    """The audit trail of {tenant} is not what was written: {first}{more}. Compare it with a backup or an export; who can
    write to it is whoever has the password of email_owner or of an administrator."""

    exit_code = 14


class AccountBusy(PostroomError):
    """{account} is being synced by another process: nothing to do. See how far it is: postroom status."""

    exit_code = 16


class LeaseLost(PostroomError):
    """Another process has taken over the account {account}, as nothing was heard of this one. What was committed is kept;
    it goes on from there."""

    exit_code = 16


class Partial(PostroomError):
    """Messages that could not be read: {failed}. They are in quarantine; the next run tries them again.
    See why: postroom status."""

    exit_code = 9


class Unequal(PostroomError):
    """{account} and its server differ in {count} places, named above. {mend}"""

    exit_code = 15


class Interrupted(PostroomError):
    """Interrupted. What was committed is kept; the same command goes on from there."""

    exit_code = 130
