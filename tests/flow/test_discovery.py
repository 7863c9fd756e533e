"""An address is enough: the account is found, added and synced."""

from __future__ import annotations

from tests.support.dovecot import Dovecot
from tests.support.name_server import running_name_server, running_pages
from tests.support.site import Store
from tests.wire.contract import letter
from tests.wire.test_discover import config, incoming

EMAIL = "alice@example.test"


def test_an_address_is_enough(store: Store, dovecot: Dovecot) -> None:
    dovecot.fill("alice", "INBOX", [letter(1), letter(2)])
    page = config(incoming("imap", "localhost", dovecot.imaps_port, "SSL", "%EMAILLOCALPART%"))
    tenant = store.tenant()
    with running_pages({"/example.test": page}) as (base, _), running_name_server("") as (address, _):
        settings = {"POSTROOM_ISPDB_URL": f"{base}/{{domain}}", "POSTROOM_DNS_SERVER": address}
        add = ("account", "add", "-t", tenant, "--email", EMAIL, "--password-stdin")
        done = store.cli(*add, stdin=dovecot.password("alice") + "\n", **settings)
        assert f"{EMAIL} is at localhost:{dovecot.imaps_port} (tls)" in done.stderr
    tally = store.json("sync", "-t", tenant, "-a", EMAIL, POSTROOM_CA_FILE=str(dovecot.ca_file))
    assert tally["stored"] == 2


def test_nothing_found_is_one_sentence_and_adds_nothing(store: Store) -> None:
    tenant = store.tenant()
    with running_name_server("") as (address, _):
        settings = {"POSTROOM_ISPDB_URL": "none", "POSTROOM_DNS_SERVER": address}
        add = ("account", "add", "-t", tenant, "--email", EMAIL, "--password-stdin")
        done = store.cli(*add, stdin="x\n", check=False, **settings)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "--host" in done.stderr
    assert store.json("account", "list", "-t", tenant)["items"] == []
