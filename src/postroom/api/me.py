"""Me: whoever shows a key or token, as the service knows them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import Anybody
from postroom.store.api_keys import SCOPES

router = APIRouter(tags=["keys"])


@router.get("/v1/me", response_model=shapes.Me)
async def who_am_i(request: Request, caller: Anybody) -> Response:
    """Whose the key or token is, and what it may do. Any scope, or none, will do."""
    who = caller.identity
    async with caller.tx():
        pass  # which refuses where the tenant is suspended
    body = {
        "tenant_id": who.tenant_id,
        "user_id": who.user_id,
        "scopes": [each for each in SCOPES if each in who.scopes],
        "expires_at": answers.time_of(who.expires_at),
    }
    return answers.json(request, body)
