"""The server: the tools that a key allows, over whichever transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from mcp import types
from postroom import __version__
from postroom.client import AsyncClient, ClientError, Problem
from postroom.mcp import reading, writing
from postroom.mcp.tool import Tool
from postroom.mcp.untrusted import INSTRUCTIONS, META, fenced

TOOLS = {each.name: each for each in (*reading.TOOLS, *writing.TOOLS)}
ClientOf = Callable[[ServerRequestContext[Any]], AsyncClient]
"""The client with the key of whoever asks."""


def server_of(client_of: ClientOf) -> Server[Any]:
    async def list_tools(
        asked: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        try:
            scopes = (await client_of(asked).who_am_i()).scopes
        except ClientError as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from error
        return types.ListToolsResult(
            tools=[_described(each) for each in TOOLS.values() if each.scope in scopes]
        )

    async def call_tool(
        asked: ServerRequestContext[Any], wanted: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = TOOLS.get(wanted.name)
        if tool is None:
            return _refused(f"There is no tool {wanted.name!r}.")
        return await _called(tool, wanted.arguments or {}, client_of(asked))

    return Server(
        "postroom",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _called(tool: Tool, given: dict[str, Any], mail: AsyncClient) -> types.CallToolResult:
    """Whether the key may do it is said by the API, whatever was listed."""
    try:
        arguments = tool.arguments.model_validate(given)
        return _answer(await tool.perform(mail, arguments))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        return _refused(f"{where}: {first['msg']}.")
    except Problem as problem:
        field = f"{problem.field}: " if problem.field else ""
        return _refused(f"{field}{problem.detail}")
    except ClientError as error:
        return _refused(str(error))


def _answer(said: Any) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=fenced(said))], _meta=META)


def _refused(sentence: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=sentence)], is_error=True)


def _described(tool: Tool) -> types.Tool:
    looks_only = tool.scope == "read"
    return types.Tool(
        name=tool.name,
        description=tool.about,
        input_schema=tool.arguments.model_json_schema(),
        annotations=types.ToolAnnotations(
            read_only_hint=looks_only,
            destructive_hint=tool.is_final,
            idempotent_hint=looks_only,
            open_world_hint=tool.is_final,
        ),
    )
