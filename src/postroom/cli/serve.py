"""serve: the HTTP service."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from postroom.cli.frame import app, chosen, say
from postroom.errors import UsageError
from postroom.settings import Settings


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Where to listen (POSTROOM_SERVICE_HOST).")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="(POSTROOM_SERVICE_PORT)")
    ] = None,
) -> None:
    """Serve the store over HTTP until Ctrl-C or SIGTERM: /docs says what there is, postroom key makes keys.

    Example:  postroom serve --port 8420
    """
    settings = chosen()
    settings = replace(
        settings, service_host=host or settings.service_host, service_port=port or settings.service_port
    )
    _serve(settings)


def _serve(settings: Settings) -> None:
    import uvloop

    from postroom.api.server import serve as run
    from postroom.ops.master_key import key_for, master_key
    from postroom.ops.provision import open_site

    if settings.run_mode not in ("production", "development"):
        raise UsageError(reason=f"FLASK_ENV is {settings.run_mode!r}; there are production and development.")
    site = open_site(settings, tell=say)
    where = f"http://{settings.service_host}:{settings.service_port}"
    refuse_taken(settings)
    uvloop.run(
        run(
            settings,
            site.url("email_service"),
            master=master_key(settings),
            cursor_key=key_for(settings, b"cursors"),
            listening=lambda: say(f"Postroom serves at {where} (documents: {where}/docs)"),
        )
    )


def refuse_taken(settings: Settings) -> None:
    """Raises UsageError for a port that somebody else listens on, or a host that is not of this machine."""
    import socket

    family = socket.AF_INET6 if ":" in settings.service_host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.service_host, settings.service_port))
        except OSError as error:
            reason = f"The service cannot listen on {settings.service_host}:{settings.service_port}: {error.strerror}."
            raise UsageError(reason=f"{reason} Choose another --port or --host.") from error
