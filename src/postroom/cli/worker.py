"""worker: keeps all accounts of all tenants current."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import typer

from postroom.cli.frame import app, chosen, run, say, store
from postroom.errors import UsageError


@app.command()
def worker(
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", "-c", help="Accounts synced at once (POSTROOM_CONCURRENCY)."),
    ] = None,
    no_push: Annotated[
        bool, typer.Option("--no-push", help="Wait for no news: look at accounts in their intervals only.")
    ] = False,
) -> None:
    """Keep the accounts of all tenants current, send what is due and call webhooks, until Ctrl-C or SIGTERM. Start as many as you like, on any machine.

    Example:  postroom worker --concurrency 16
    """
    if concurrency is not None and concurrency < 1:
        raise UsageError(
            reason=f"--concurrency is {concurrency}; it is how many accounts are synced at once, 1 or more."
        )
    run(_work(concurrency, is_pushed=not no_push))


async def _work(concurrency: int | None, *, is_pushed: bool) -> None:
    from postroom.blobs import Blobs
    from postroom.ops.master_key import master_key
    from postroom.outbox.posting import Posting
    from postroom.outbox.telling import Telling
    from postroom.sync.leased import Surroundings
    from postroom.sync.worker import Worker

    settings = chosen()
    settings = replace(
        settings,
        concurrency=concurrency or settings.concurrency,
        push_connections=settings.push_connections if is_pushed else 0,
    )
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task

    def asked_to_stop() -> None:
        if stop.is_set():
            task.cancel()  # asked twice: at once
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, asked_to_stop)
    async with store("email_worker", max_connections=min(settings.concurrency + 4, 20)) as db:
        around = Surroundings(db=db, blobs=Blobs(settings), settings=settings, master=master_key(settings))
        say(f"Working, {settings.concurrency} accounts at once. See it: postroom status. Stop it: Ctrl-C.")
        posting = Posting(
            db, around.blobs, settings, master=around.master, tokens=partial(_tokens, db, around.master)
        )
        telling = Telling(db, settings, master=around.master)
        try:
            async with asyncio.TaskGroup() as work:
                work.create_task(Worker(around).run(stop))
                work.create_task(posting.run(stop))
                work.create_task(telling.run(stop))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
    say("Stopped. What was committed is kept; the next worker goes on from there.")


def _tokens(db: Any, master: Any, tenant_id: Any, account_id: Any) -> Any:
    """Who gives out the access tokens that the outbox signs in with."""
    from postroom.sync.opening import tokens_of

    return tokens_of(db, chosen(), tenant_id, account_id, master)
