"""An account tried, paused, resumed and removed."""

from __future__ import annotations

import pytest

from tests.support.dovecot import Dovecot, free_ports
from tests.support.site import Store
from tests.wire.contract import letter

EMAIL = "alice@example.test"


def _add(store: Store, tenant: str, port: int, password: str, *more: str) -> None:
    place = ("--email", EMAIL, "--host", "localhost", "--port", str(port), "--username", "alice")
    store.cli("account", "add", "-t", tenant, *place, *more, "--password-stdin", stdin=password + "\n")


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_good_account_passes_every_step(store: Store, dovecot: Dovecot, protocol: str) -> None:
    dovecot.fill("alice", "INBOX", [letter(1), letter(2)])
    tenant = store.tenant()
    port = dovecot.imaps_port if protocol == "imap" else dovecot.pop3s_port
    _add(store, tenant, port, dovecot.password("alice"), "--protocol", protocol)
    trust = {"POSTROOM_CA_FILE": str(dovecot.ca_file)}
    found = store.json("account", "test", "-t", tenant, "-a", EMAIL, **trust)
    assert found["ok"]
    details = {each["step"]: each["detail"] for each in found["steps"]}
    assert list(details) == ["name", "connect", "tls", "sign-in", "mail"]
    assert "127.0.0.1" in details["name"]
    assert "certificate good until 20" in details["tls"]
    assert details["sign-in"] == "as alice, by PLAIN"
    expected = {"imap": "folders: 6, messages in INBOX: 2", "pop3": "messages: 2"}
    assert details["mail"] == expected[protocol]
    shown = store.cli("account", "test", "-t", tenant, "-a", EMAIL, **trust).stdout
    assert shown.count(" ok ") == 5
    assert dovecot.password("alice") not in shown


@pytest.mark.parametrize(
    ("fault", "step", "exit_code"),
    [("name", "name", 6), ("port", "connect", 6), ("certificate", "tls", 5), ("password", "sign-in", 5)],
)
def test_the_first_step_that_fails_is_named_and_gives_the_exit_code(
    store: Store, dovecot: Dovecot, fault: str, step: str, exit_code: int
) -> None:
    tenant = store.tenant()
    host = "no-such-host.invalid" if fault == "name" else "localhost"
    port = free_ports(1)[0] if fault == "port" else dovecot.imaps_port
    password = "hunter2" if fault == "password" else dovecot.password("alice")
    place = ("--email", EMAIL, "--host", host, "--port", str(port), "--username", "alice")
    store.cli("account", "add", "-t", tenant, *place, "--password-stdin", stdin=password + "\n")
    trust = {} if fault == "certificate" else {"POSTROOM_CA_FILE": str(dovecot.ca_file)}
    done = store.cli("account", "test", "-t", tenant, "-a", EMAIL, check=False, **trust)
    assert done.returncode == exit_code
    assert done.stdout.splitlines()[-1].split() == [step, "failed"]
    assert done.stderr.count("\n") == 1
    assert password not in done.stderr + done.stdout


def test_an_account_is_paused_resumed_and_removed(store: Store, dovecot: Dovecot) -> None:
    tenant = store.tenant()
    _add(store, tenant, dovecot.imaps_port, dovecot.password("alice"))
    with store.connect("postgres") as connection:

        def row() -> tuple[bool, bool, int]:
            found = connection.execute(
                "select a.is_sync_enabled, a.is_deleted, (select count(*) from email_credentials c"
                " where c.tenant_id = a.tenant_id and c.account_id = a.id)"
                " from email_accounts a join email_tenants t using (tenant_id) where t.name = %s",
                [tenant],
            ).fetchone()
            assert found
            return found

        assert row() == (True, False, 1)
        assert store.json("account", "pause", "-t", tenant, "-a", EMAIL)["state"] == "paused"
        assert row() == (False, False, 1)
        assert store.json("account", "list", "-t", tenant)["items"][0]["paused"] is True
        store.cli("account", "resume", "-t", tenant, "-a", EMAIL)
        assert row() == (True, False, 1)
        done = store.cli("account", "remove", "-t", tenant, "-a", EMAIL, stdin="n\n", check=False)
        assert done.returncode == 2
        store.cli("account", "remove", "-t", tenant, "-a", EMAIL, "--yes")
        assert row() == (False, True, 0)
    assert store.json("account", "list", "-t", tenant)["items"] == []
    assert store.cli("account", "pause", "-t", tenant, "-a", EMAIL, check=False).returncode == 3


def test_who_sends_with_the_mailboxs_password_sends_with_the_new_one_and_keeps_its_own(
    store: Store, dovecot: Dovecot
) -> None:
    tenant = store.tenant()
    smtp = ("account", "smtp", "-t", tenant, "-a", EMAIL, "--host", "smtp.example.com")
    with store.connect("postgres") as connection:

        def row() -> tuple[bool, int]:
            """Whether the sender has the account's secret, and how many secrets there are."""
            found = connection.execute(
                "select s.credential_id is not distinct from a.credential_id, (select count(*) from email_credentials c"
                " where c.tenant_id = a.tenant_id and c.account_id = a.id)"
                " from email_accounts a join email_tenants t using (tenant_id)"
                " join email_senders s on s.tenant_id = a.tenant_id and s.account_id = a.id where t.name = %s",
                [tenant],
            ).fetchone()
            assert found
            return found

        _add(store, tenant, dovecot.imaps_port, dovecot.password("alice"))
        store.cli(*smtp, "--same-password")
        assert row() == (True, 1)
        _add(store, tenant, dovecot.imaps_port, "another")
        assert row() == (True, 1)
        store.cli(*smtp, "--password-stdin", stdin="of its own\n")
        assert row() == (False, 2)
        _add(store, tenant, dovecot.imaps_port, "a third")
        assert row() == (False, 2)
        store.cli(*smtp, "--password-stdin", stdin="of its own again\n")
        assert row() == (False, 2)
        store.cli("account", "remove", "-t", tenant, "-a", EMAIL, "--yes")
        assert row() == (True, 0)
