"""Doctor: every fault that is planted is named, and gone after the command that was printed; a healthy server is silent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ops.doctor_plants import PLANTS
from tests.support.doctoring import Plant, findings, names_and_mends
from tests.support.majors import MAJORS, programs_of
from tests.support.site import Store, running_store


def fill(store: Store, folder: Path) -> None:
    """One tenant with mail, a trail, somebody whom an account is shared with, and a hold."""
    tenant = store.tenant()
    store.cli("sample", str(folder / "sample"))
    store.cli("import", "-t", tenant, "-a", "ada@example.org", str(folder / "sample"))
    store.cli("account", "share", "-t", tenant, "-a", "ada@example.org", "--user", str(uuid4()))
    store.cli("hold", "add", "-t", tenant, "case-17", "--search", "in:inbox", "--reason", "Smith v. Example")
    with store.connect("postgres") as connection:
        months = connection.execute(
            b"select from pg_class where relname like 'email\\_audit\\_log\\_2%' and relkind = 'r'"
        )
        assert months.fetchall()


@pytest.fixture(scope="module", params=MAJORS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with running_store(POSTROOM_POSTGRES_BIN=str(programs_of(request.param))) as store:
        fill(store, tmp_path_factory.mktemp("mail"))
        yield store


def test_a_healthy_server_with_mail_is_passed_over_in_silence(server: Store) -> None:
    done = server.cli("doctor")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert server.json("doctor") == {"worst": None, "findings": [], "not_checked": []}


def test_a_server_at_work_is_passed_over_in_silence(server: Store, tmp_path: Path) -> None:
    tenant = server.tenant()
    server.cli("sample", str(tmp_path / "sample"), "--messages", "1500")
    words = ("import", "-t", tenant, "-a", "ada@example.org", str(tmp_path / "sample"))
    work = threading.Thread(target=server.cli, args=words)
    work.start()
    looked = 0
    while work.is_alive() or not looked:
        assert findings(server) == []
        looked += 1
    work.join()
    assert findings(server) == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_fault_is_named_and_the_printed_command_mends_it(server: Store, plant: Plant) -> None:
    names_and_mends(server, plant)
