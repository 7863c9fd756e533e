"""mcp: mail as tools for a model."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from postroom.cli.frame import app, chosen, say
from postroom.cli.serve import refuse_taken
from postroom.errors import UsageError
from postroom.settings import Settings

PORT = 8421


@app.command()
def mcp(
    http: Annotated[
        bool,
        typer.Option("--http", help="Over HTTP at /mcp, for whoever shows a key; else one key on stdio."),
    ] = False,
    host: Annotated[str, typer.Option("--host", help="With --http: where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="With --http.")] = PORT,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="A service that runs elsewhere, in place of this machine's store.", metavar="URL"
        ),
    ] = None,
) -> None:
    """Serve mail to a model by the Model Context Protocol, with the rights of a key (POSTROOM_API_KEY).

    Example:  POSTROOM_API_KEY=$(postroom key create -t acme --scope read) postroom mcp
    """
    settings = chosen()
    if not http and not settings.api_key:
        reason = (
            "Say whose mail it is: set POSTROOM_API_KEY to a key (postroom key create), or serve with --http."
        )
        raise UsageError(reason=reason)
    if find_spec("mcp") is None:
        raise UsageError(
            reason="The Model Context Protocol needs an extra. Install it: pip install 'postroom[mcp]'."
        )
    if http:
        refuse_taken(replace(settings, service_host=host, service_port=port))
    _serve(settings, url, (host, port) if http else None)


def _serve(settings: Settings, url: str | None, where: tuple[str, int] | None) -> None:
    import uvloop

    uvloop.run(_of_service(settings, url, where) if url else _of_store(settings, where))


async def _of_service(settings: Settings, url: str, where: tuple[str, int] | None) -> None:
    from postroom.client import Client, ClientError
    from postroom.mcp.transports import Mail

    try:
        Client(url).close()
    except ClientError as error:
        raise UsageError(reason=str(error)) from error
    await _run(Mail(url=url), settings, where)


async def _of_store(settings: Settings, where: tuple[str, int] | None) -> None:
    from postroom.api.app import make_app
    from postroom.api.opening import opened
    from postroom.mcp.transports import Mail
    from postroom.ops.master_key import key_for, master_key
    from postroom.ops.provision import open_site

    site = open_site(settings, tell=say)
    keys = {"master": master_key(settings), "cursor_key": key_for(settings, b"cursors")}
    async with opened(settings, site.url("email_service"), program="postroom mcp", **keys) as context:
        await _run(Mail(app=make_app(context)), settings, where)


async def _run(mail: Any, settings: Settings, where: tuple[str, int] | None) -> None:
    from postroom.api.outer import start_logging
    from postroom.client import ClientError, Unauthorized
    from postroom.mcp.transports import PATH, over_http, over_stdio

    start_logging(settings.log_level.upper(), for_people=settings.run_mode == "development")
    try:
        if where is None:
            await over_stdio(mail, settings.api_key or "")
        else:
            host, port = where
            line = f"Postroom serves tools at http://{host}:{port}{PATH}, for whoever shows a key."
            await over_http(mail, host, port, listening=lambda: say(line))
    except Unauthorized as error:
        raise UsageError(
            reason="POSTROOM_API_KEY is no key that is good. Make one: postroom key create."
        ) from error
    except ClientError as error:
        raise UsageError(reason=str(error)) from error
    finally:
        await mail.close()
