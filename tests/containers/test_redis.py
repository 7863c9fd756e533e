"""Redis counts the requests of several processes together; killed or silent it costs a moment, and nobody is refused."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import pytest

from postroom.api.limits import Limits, Standing
from postroom.ops.postmaster import free_port
from tests.support.podman import DEBIAN, Container, container, run, until

pytestmark = pytest.mark.usefixtures("images")


def test_two_processes_count_together_and_each_alone_while_redis_is_away() -> None:
    port = free_port()
    command = ("redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "")
    with container(DEBIAN, "--network", "host", command=command) as redis:
        ping = ("redis-cli", "-p", str(port), "ping")
        until(lambda: "PONG" in redis.exec(*ping, check=False), told=redis.log)
        asyncio.run(_history(redis, port))


async def _history(redis: Container, port: int) -> None:
    url, key, tenant = f"redis://127.0.0.1:{port}/0", uuid4(), uuid4()
    one, other = (Limits(key_rate="3/hour", tenant_rate="0", redis_url=url) for _ in range(2))

    async def asked(limits: Limits) -> Standing:
        async with asyncio.timeout(20):
            standing = await limits.count(key, tenant)
        assert standing
        return standing

    assert [(await asked(each)).remaining for each in (one, other, one)] == [2, 1, 0]
    assert not (await asked(other)).allowed, "the other process has counted too"
    run("podman", "kill", "--signal", "STOP", redis.name)
    assert (await asked(one)).remaining == 2, "silent: it counts alone"
    run("podman", "kill", "--signal", "KILL", redis.name)
    assert [(await asked(one)).remaining, (await asked(other)).remaining] == [1, 2]
    redis.start()
    deadline = time.monotonic() + 30
    # A key of nobody else: the new Redis has forgotten the old counts, and both processes come back to it.
    while time.monotonic() < deadline:
        key = uuid4()
        if [(await asked(each)).remaining for each in (one, other)] == [2, 1]:
            break
        await asyncio.sleep(0.5)
    else:
        raise AssertionError("they never came back to Redis")
    for each in (one, other):
        await each.close()
