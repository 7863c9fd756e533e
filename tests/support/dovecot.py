"""A real IMAP server for tests: Dovecot 2.3 in a scratch folder, on free ports of 127.0.0.1.

with running_dovecot() as server:                    # or the fixtures `dovecot` and `poor_dovecot`
    server.fill("alice", "Work/2026", [b"Subject: x\\r\\n\\r\\nhello\\r\\n"], flags=["\\\\Seen"])
    ImapSource(host=server.host, port=server.imaps_port, ca_file=server.ca_file, ...)
"""

from __future__ import annotations

import base64
import getpass
import grp
import imaplib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from imapclient import imap_utf7

from tests.support.needs import require

Capabilities = Literal["full", "poor", "condstore"]

CONDSTORE = "IMAP4rev1 LITERAL+ ENABLE ID CONDSTORE LIST-EXTENDED LIST-STATUS ESEARCH"
"""A server in the middle: it counts changes, and does not tell what was deleted."""

POOR = "IMAP4rev1 LITERAL+ ENABLE ID"
"""An old server: no CONDSTORE, QRESYNC, MOVE, SPECIAL-USE, UIDPLUS, IDLE, NAMESPACE, SASL-IR."""

_SYSTEM_FOLDERS = {"Drafts": "Drafts", "Sent": "Sent", "Trash": "Trash", "Junk": "Junk", "Archive": "Archive"}

_MAILDIR_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}


class Dovecot:
    """A running server: where it listens, who may sign in, and ways to put mail into it."""

    def __init__(
        self,
        *,
        root: Path,
        capabilities: Capabilities,
        tls: bool,
        certificate_name: str,
        mechanisms: str = "plain login",
        token_key: bytes = b"",
        more: str = "",
    ) -> None:
        self._mechanisms = mechanisms
        self._token_key = token_key
        self.host = "127.0.0.1"
        self.root = root
        self.capabilities = capabilities
        self.imap_port, self.imaps_port, self.pop3_port, self.pop3s_port = free_ports(4)
        self.ca_file = root / "certs" / "cert.pem"
        self._tls = tls
        self._certificate_name = certificate_name
        self._more = more
        self._passwords: dict[str, str] = {}
        self._counter = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the configuration, start, and wait for the greeting."""
        self.root.chmod(0o755)
        for folder in ("certs", "mail", "passwords", "run", "state"):
            (self.root / folder).mkdir()
        shutil.chown(self.root / "mail", *self._mail_owner())
        make_certificate(self.root / "certs", self._certificate_name)
        if self._token_key:
            self._write_token_key()
        (self.root / "dovecot.conf").write_text(self._configuration())
        self.add_user("alice", "alice-pw")
        self.add_user("bob", "bob-pw")
        self._process = subprocess.Popen(
            ["dovecot", "-F", "-c", str(self.root / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._wait_for_greeting()

    def _write_token_key(self) -> None:
        """Tokens are JWTs that Dovecot checks by itself: HS256 with this key, issued by https://issuer.test."""
        folder = self.root / "keys" / "default" / "HS256"
        folder.mkdir(parents=True)
        (folder / "default").write_text(base64.b64encode(self._token_key).decode())
        (self.root / "oauth2.conf.ext").write_text(
            "introspection_mode = local\n"
            f"local_validation_key_dict = fs:posix:prefix={self.root}/keys/\n"
            "username_attribute = email\nactive_attribute =\nactive_value =\nissuers = https://issuer.test\n"
        )

    def stop(self) -> None:
        """End the server and all its children."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        if self._process.stderr:
            self._process.stderr.close()
        self._process = None

    def log(self) -> str:
        """What the server wrote about itself."""
        path = self.root / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def add_user(self, user: str, password: str) -> None:
        """Let one more user in."""
        self._passwords[user] = password
        path = (
            self.root / "passwords" / user
        )  # one file each: Dovecot looks at a known file once a second only
        path.write_text(f"{user}:{{PLAIN.b64}}{base64.b64encode(password.encode()).decode()}\n")

    def password(self, user: str) -> str:
        """The password of a user."""
        return self._passwords[user]

    @contextmanager
    def imap(self, user: str) -> Iterator[imaplib.IMAP4]:
        """A signed-in client, for a test to do to the mailbox what its owner would do."""
        client = imaplib.IMAP4(self.host, self.imap_port, timeout=20)
        try:
            client.login(user, self.password(user))
            yield client
        finally:
            client.logout()

    def fill(
        self,
        user: str,
        folder: str,
        messages: Iterable[bytes],
        *,
        flags: Sequence[str] = (),
        first_date: int = 1_700_000_000,
    ) -> int:
        """Put messages into a folder (made when it is missing) by writing Maildir files; gives the number.

        UIDs go up in the order given, internal dates by one second each from `first_date`. Dovecot serves
        every line end as CRLF. Keywords cannot be set this way: use `imap(user)` and STORE.
        """
        cur = self._maildir(user, folder) / "cur"
        letters = "".join(sorted(_MAILDIR_LETTERS[flag] for flag in flags))
        owner = self._mail_owner()
        count = 0
        for date, body in enumerate(messages, first_date):
            self._counter += 1
            count += 1
            path = cur / f"{date}.M{self._counter:06}P1.test,S={len(body)}:2,{letters}"
            path.write_bytes(body)
            shutil.chown(path, *owner)
            os.utime(path, (date, date))
        return count

    def reset(self) -> None:
        """Forget all mail of all users, once nobody is signed in: a session that ends may write an index."""
        deadline = time.monotonic() + 5
        while self._has_sessions() and time.monotonic() < deadline:
            time.sleep(0.005)
        for path in (self.root / "mail").iterdir():
            shutil.rmtree(path, ignore_errors=True)

    def lose_uids(self, user: str, folder: str) -> None:
        """Lose the list of a folder's UIDs, as a careless restore does: all get new ones, under a new UIDVALIDITY."""
        place = self._maildir(user, folder)
        for path in [place / "dovecot-uidlist", *place.glob("dovecot.index*")]:
            path.unlink(missing_ok=True)

    def _has_sessions(self) -> bool:
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return any(_name_of(child) in ("imap", "pop3") for child in children)

    def _maildir(self, user: str, folder: str) -> Path:
        """Where a folder lives (Maildir++), made by the server itself when it is new."""
        home = self.root / "mail" / user
        wire_name = imap_utf7.encode(folder).decode()
        path = home if folder.upper() == "INBOX" else home / f".{wire_name.replace('/', '.')}"
        if not (path / "cur").is_dir():
            with self.imap(user) as client:
                quoted = '"' + wire_name.replace("\\", "\\\\").replace('"', '\\"') + '"'
                client.create(quoted)
                client.select(quoted, readonly=True)
        return path

    def _mail_owner(self) -> tuple[str, str]:
        """Who owns the mail: ourselves, or an unprivileged user when we are root, which Dovecot refuses."""
        if os.geteuid() == 0:
            return "mail", "mail"
        return getpass.getuser(), grp.getgrgid(os.getegid()).gr_name

    def _configuration(self) -> str:
        user, group = self._mail_owner()
        own = "" if user == "mail" else f"default_internal_user = {user}\ndefault_login_user = {user}\n"
        ssl = (
            f"ssl = yes\nssl_cert = <{self.ca_file}\nssl_key = <{self.root}/certs/key.pem"
            if self._tls
            else "ssl = no"
        )
        poor = self.capabilities == "poor"
        mailboxes = "".join(
            f"  mailbox {name} {{\n    auto = create\n"
            + ("" if poor else f"    special_use = \\{use}\n")
            + "  }\n"
            for name, use in _SYSTEM_FOLDERS.items()
        )
        return f"""
base_dir = {self.root}/run
state_dir = {self.root}/state
log_path = {self.root}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
{own}{ssl}
disable_plaintext_auth = no
auth_mechanisms = {self._mechanisms}
auth_failure_delay = 0
mail_location = maildir:{self.root}/mail/%u
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 0
mailbox_list_index = yes
mail_fsync = never
mail_max_userip_connections = 50
{f"imap_capability = {POOR if poor else CONDSTORE}" if self.capabilities != "full" else ""}
{self._token_passdb()}
protocol imap {{
  mail_plugins = imap_zlib
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.root}/passwords/%u
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={self.root}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
{mailboxes}}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = {self.imaps_port if self._tls else 0}
    ssl = {"yes" if self._tls else "no"}
  }}
  chroot =
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop3_port}
  }}
  inet_listener pop3s {{
    port = {self.pop3s_port if self._tls else 0}
    ssl = {"yes" if self._tls else "no"}
  }}
  chroot =
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{self._more}
"""

    def _token_passdb(self) -> str:
        if not self._token_key:
            return ""
        return (
            "passdb {\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n"
            f"  args = {self.root}/oauth2.conf.ext\n}}"
        )

    def _wait_for_greeting(self) -> None:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            assert self._process
            if self._process.poll() is not None:
                said = self._process.stderr.read().decode() if self._process.stderr else ""
                self.stop()
                raise RuntimeError(f"Dovecot did not start: {said}{self.log()}")
            try:
                with socket.create_connection((self.host, self.imap_port), 1) as connection:
                    if connection.recv(100).startswith(b"* OK"):
                        return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"Dovecot gave no greeting in 15 s: {self.log()}")


def _name_of(process: str) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""  # it has ended


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def make_certificate(folder: Path, name: str = "localhost") -> Path:
    """A self-signed `cert.pem` with its `key.pem` for a name; that of localhost is for 127.0.0.1 too."""
    alternatives = f"DNS:{name}" + (",IP:127.0.0.1" if name == "localhost" else "")
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
        f"-subj /CN={name} "
        f"-addext subjectAltName={alternatives} -keyout key.pem -out cert.pem".split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem"


@contextmanager
def running_dovecot(
    *,
    capabilities: Capabilities = "full",
    tls: bool = True,
    certificate_name: str = "localhost",
    mechanisms: str = "plain login",
    token_key: bytes = b"",
    more: str = "",
) -> Iterator[Dovecot]:
    """A server for the length of a `with`, with `more` lines of configuration; the test is skipped where Dovecot is not installed."""
    require(
        bool(shutil.which("dovecot")), "Dovecot is not installed: apt-get install dovecot-imapd dovecot-pop3d"
    )
    with tempfile.TemporaryDirectory(prefix="dc-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = Dovecot(
            root=Path(folder),
            capabilities=capabilities,
            tls=tls,
            certificate_name=certificate_name,
            mechanisms=mechanisms,
            token_key=token_key,
            more=more,
        )
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def dovecot_server() -> Iterator[Dovecot]:
    """One full-featured server for the whole run; tests use `dovecot`."""
    with running_dovecot() as server:
        yield server


@pytest.fixture(scope="session")
def poor_dovecot_server() -> Iterator[Dovecot]:
    """One server without modern extensions for the whole run; tests use `poor_dovecot`."""
    with running_dovecot(capabilities="poor") as server:
        yield server


@pytest.fixture(scope="session")
def condstore_dovecot_server() -> Iterator[Dovecot]:
    """One server that counts changes and can do little else; tests use `condstore_dovecot`."""
    with running_dovecot(capabilities="condstore") as server:
        yield server


@pytest.fixture
def condstore_dovecot(condstore_dovecot_server: Dovecot) -> Dovecot:
    """The server with CONDSTORE alone, without any mail."""
    condstore_dovecot_server.reset()
    return condstore_dovecot_server


@pytest.fixture
def dovecot(dovecot_server: Dovecot) -> Dovecot:
    """The full-featured server, without any mail."""
    dovecot_server.reset()
    return dovecot_server


@pytest.fixture
def poor_dovecot(poor_dovecot_server: Dovecot) -> Dovecot:
    """The server without modern extensions, without any mail."""
    poor_dovecot_server.reset()
    return poor_dovecot_server
