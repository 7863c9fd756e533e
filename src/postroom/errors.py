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
│   │   └── ConnectionDropped          ended in the middle, without a word
│   ├── NotAMailbox
│   └── ServerMisbehaved
├── StoreError                     7   the database or the blob store
│   ├── DatabaseUnreachable
│   ├── ServerUnfit
│   ├── DatabaseFull
│   ├── SchemaTooNew
│   ├── SchemaChanged
│   ├── BlobStoreUnreachable
│   ├── BlobStoreFull
│   ├── BlobDamaged
│   └── BlobMissing
├── ClusterError                   8   the embedded server
├── TargetError                    10  an export could not be written
├── Partial                        9   the work is done but for some messages, which are named
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


class NotAMailbox(SourceError):
    """{where} is not mail: {reason}. Nothing of it was stored. {mend}"""


class ServerMisbehaved(SourceError):
    """{where} broke the protocol: {reason}. What was stored until then is kept; the next run goes on from there."""


class TargetError(PostroomError):
    """{where} could not be written: {reason}. Nothing is left there. {mend}"""

    exit_code = 10

    def __init__(self, *, where: str, reason: str, mend: str = "") -> None:
        super().__init__(where=where, reason=reason, mend=mend)


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


class BlobDamaged(StoreError):
    """The bytes of blob {sha256} {where} are not the ones its name promises. Restore them from a backup."""


class BlobMissing(StoreError):
    """The bytes of blob {sha256} are not in the {storage} store. Check it: postroom status."""


class ClusterError(PostroomError):
    """{reason} {mend}"""

    exit_code = 8

    def __init__(self, *, reason: str, mend: str = "") -> None:
        super().__init__(reason=reason, mend=mend)


class Partial(PostroomError):
    """Messages that could not be read: {failed}. They are in quarantine; the next run tries them again.
    See why: postroom status."""

    exit_code = 9


class Interrupted(PostroomError):
    """Interrupted. What was committed is kept; the same command goes on from there."""

    exit_code = 130
