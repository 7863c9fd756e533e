"""What the container's files repeat of the program's own is equal to it, and what they promise is written in them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from postroom import sql
from postroom.ops.binaries import Binaries
from postroom.ops.configuration import configuration
from postroom.store.migrate import known_migrations

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deployment/docker"
CONTRACT = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "1310kB",
    "maintenance_work_mem": "64MB",
    "wal_buffers": "16MB",
    "min_wal_size": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "default_statistics_target": "100",
}
OF_THE_PLACE = {
    "listen_addresses",
    "unix_socket_permissions",
    "unix_socket_directories",
    "port",
    "min_wal_size",
}
"""What a server in a container has otherwise than the embedded one, and why its file says so."""


def _settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z_.]+) = '?([^'\n]*?)'?$", text, re.MULTILINE))


def test_the_scripts_of_the_image_are_the_schemas_own_in_their_order() -> None:
    line = re.compile(r"^COPY src/postroom/sql/(init-\S+) \S*/(\d+)-(\S+)$", re.MULTILINE)
    copied = line.findall((DOCKER / "postgres/Dockerfile").read_text())
    assert [name for name, _, _ in sorted(copied, key=lambda each: each[1])] == list(sql.INIT_FILES)
    assert all(name == called for name, _, called in copied)


def test_the_image_knows_the_migrations_of_the_program(tmp_path: Path) -> None:
    for each in known_migrations():
        (tmp_path / each.name).write_text(each.text)
    subprocess.run([DOCKER / "postgres/bin/postroom-ledger", tmp_path], check=True)
    lines = [f"{each.version} {each.name} {each.checksum}\n" for each in known_migrations()]
    assert (tmp_path / "ledger").read_text() == "".join(lines)


def test_the_settings_of_the_image_are_the_contracts_and_the_embedded_servers() -> None:
    found = _settings((DOCKER / "postgres/conf/postgresql.conf").read_text())
    assert found | CONTRACT == found
    server = Binaries(
        folder=Path("/nowhere"),
        version="16.4",
        major=16,
        has_lz4=False,
        has_zones=True,
        has_statistics=True,
    )
    embedded = _settings(configuration(server, port=1, sockets=Path("/nowhere")))
    wrong = {name for name, value in embedded.items() if found.get(name) != value} - {"include_if_exists"}
    assert wrong == OF_THE_PLACE & set(embedded)


def test_the_pooler_has_the_contracts_figures_and_room_for_every_reserve() -> None:
    text = (DOCKER / "pgbouncer/pgbouncer.ini").read_text()
    found = _settings(text)
    assert found["pool_mode"] == "transaction"
    assert (found["max_client_conn"], found["default_pool_size"], found["reserve_pool_size"]) == (
        "1000",
        "25",
        "5",
    )
    logins = re.findall(r"for login in (.*); do", (DOCKER / "pgbouncer/bin/postroom-pooler").read_text())[
        0
    ].split()
    assert int(found["max_db_connections"]) == len(logins) * (25 + 5) < 200


def test_every_variable_of_the_compose_files_is_explained_in_the_example() -> None:
    example = (DOCKER / ".env.example").read_text()
    for path in DOCKER.glob("docker-compose.*.yml"):
        for name in set(re.findall(r"\$\{([A-Z_]+)", path.read_text())):
            assert re.search(rf"^{name}=", example, re.MULTILINE), f"{path.name} uses {name}"


def test_nothing_is_published_but_to_this_machine() -> None:
    for path in DOCKER.glob("docker-compose.*.yml"):
        published = re.findall(r'^      - "(.*:\d+)"$', path.read_text(), re.MULTILINE)
        assert published
        assert all(each.startswith("127.0.0.1:") for each in published)


@pytest.mark.parametrize("image", ["postgres", "service", "pgbouncer"])
def test_the_linter_has_nothing_to_say(image: str) -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [program, "--no-color", DOCKER / image / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
