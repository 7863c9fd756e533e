"""Accounts: mailboxes on servers, and those that are filled by import."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import Admin, Caller, Reader, Writer
from postroom.api.problems import Problem, bad
from postroom.compose.addresses import mailboxes
from postroom.model import PORTS, Account, AccountId, Ledger, UserId
from postroom.store import account_removal, accounts, audit, changes, credentials, folders, jobs, shares
from postroom.store.database import TenantTx

router = APIRouter(tags=["accounts"])
_FOLLOWING = ("account_name", "is_sync_enabled", "sync_interval")


@router.get("/v1/accounts", response_model=shapes.Accounts)
async def list_accounts(request: Request, caller: Reader) -> Response:
    """The accounts that the key sees, by address."""
    async with caller.tx() as tx:
        found = await accounts.all_accounts(tx)
    return answers.json(request, {"items": [shown(each) for each in found]})


@router.post("/v1/accounts", response_model=shapes.Account, status_code=201)
async def create_account(request: Request, caller: Admin, body: shapes.NewAccount) -> Response:
    """Make an account. Its mail comes with the next sync. 409 where the tenant has the address already."""
    address = _address(body.email_address)
    if body.hostname is not None and body.password is None:
        raise bad("An account on a server needs a password.", "password")
    if body.hostname is None and (body.password or body.username or body.port or body.ca_pem):
        raise bad("Name the server: hostname.", "hostname")
    if caller.user_id is not None and body.user_id not in (None, caller.user_id):
        raise Problem(403, "forbidden", "This key is of one user, and makes accounts for that user only.")
    async with caller.tx() as tx:
        user_id = body.user_id and UserId(body.user_id)
        account_id = await accounts.create(tx, address, account_name=body.account_name, user_id=user_id)
        if account_id is None:
            raise _taken()
        account = await accounts.by_id(tx, account_id)
        modseq = await changes.next_modseq(tx, account.id)
        after: dict[str, Any] = {"email_address": address}
        if body.hostname is not None and body.password is not None:
            after |= await _connect(tx, caller, account, body, body.hostname, body.password)
        await audit.append(tx, "account.create", "account", account.id, after=after)
        await changes.append(tx, account.id, modseq, "created", "account", [account.id])
        made = await accounts.by_id(tx, account.id)
    headers = {"Location": f"/v1/accounts/{made.id}"}
    return answers.json(request, shown(made), status=201, etag=_tag(made), headers=headers)


@router.get("/v1/accounts/{account_id}", response_model=shapes.Account)
async def get_account(request: Request, caller: Reader, account_id: UUID) -> Response:
    """One account; its ETag goes into If-Match of a change."""
    async with caller.tx() as tx:
        account = await accounts.by_id(tx, AccountId(account_id))
    return answers.json(request, shown(account), etag=_tag(account))


@router.patch("/v1/accounts/{account_id}", response_model=shapes.Account, openapi_extra=answers.IF_MATCH)
async def change_account(
    request: Request, caller: Writer, account_id: UUID, body: shapes.AccountChange
) -> Response:
    """Its name, whether it is kept in step with its server, and how often. Takes If-Match."""
    given = body.model_dump(exclude_unset=True)
    changed = {
        name.removesuffix("_seconds"): value
        for name, value in given.items()
        if value is not None or name == "account_name"
    }
    account = await _followed(request, caller, AccountId(account_id), changed)
    return answers.json(request, shown(account), etag=_tag(account))


@router.delete(
    "/v1/accounts/{account_id}", status_code=204, response_class=Response, openapi_extra=answers.IF_MATCH
)
async def remove_account(request: Request, caller: Admin, account_id: UUID) -> Response:
    """With its passwords. What came from it stays to be read; on its server nothing is done."""
    async with caller.tx() as tx:
        account = await writable(tx, AccountId(account_id))
        answers.must_match(request, _tag(account))
        await account_removal.remove(tx, account.id)
    return answers.nothing(request)


@router.post("/v1/accounts/{account_id}/pause", response_model=shapes.Account, openapi_extra=answers.IF_MATCH)
async def pause_account(request: Request, caller: Writer, account_id: UUID) -> Response:
    """No sync begins any more. One that is at work goes on to its end."""
    account = await _followed(request, caller, AccountId(account_id), {"is_sync_enabled": False})
    return answers.json(request, shown(account), etag=_tag(account))


@router.post(
    "/v1/accounts/{account_id}/resume", response_model=shapes.Account, openapi_extra=answers.IF_MATCH
)
async def resume_account(request: Request, caller: Writer, account_id: UUID) -> Response:
    """It is kept in step again, and is due at once."""
    account = await _followed(request, caller, AccountId(account_id), {"is_sync_enabled": True})
    return answers.json(request, shown(account), etag=_tag(account))


@router.post("/v1/accounts/{account_id}/sync", response_model=shapes.Account, status_code=202)
async def sync_account(request: Request, caller: Writer, account_id: UUID) -> Response:
    """It is due at once: the next worker that is free brings it in step. 409 where it is paused or has no server."""
    async with caller.tx() as tx:
        account = await writable(tx, AccountId(account_id))
        if not await jobs.wake(tx, account.id):
            raise Problem(409, "not_followed", "The account is paused, or no server is behind it.")
    return answers.json(request, shown(account), status=202)


@router.get("/v1/accounts/{account_id}/health", response_model=shapes.Health)
async def account_health(request: Request, caller: Reader, account_id: UUID) -> Response:
    """How it is, and the account of every UID that its server ever listed."""
    async with caller.tx() as tx:
        account = await accounts.by_id(tx, AccountId(account_id))
        ledger = await folders.ledger(tx, account.id)
    body = {
        "id": account.id,
        "state": _state(account, ledger),
        "last_error": account.last_error,
        "last_sync_at": answers.time_of(account.last_sync_at),
        "folders": [_ledger(each) for each in ledger],
    }
    return answers.json(request, body)


async def writable(tx: TenantTx, account_id: AccountId) -> Account:
    """The account, if whoever asks may write in it. Raises NotFound, Problem."""
    account = await accounts.by_id(tx, account_id)
    if tx.user_id is not None and await shares.access_of(tx, account_id, tx.user_id) not in (
        "write",
        "owner",
    ):
        raise Problem(403, "forbidden", "The account may only be read by this key.")
    return account


def shown(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "email_address": account.email_address,
        "account_name": account.account_name,
        "user_id": account.user_id,
        "protocol": account.protocol,
        "hostname": account.hostname,
        "port": account.port,
        "encryption": account.encryption,
        "username": account.username,
        "is_enabled": account.is_enabled,
        "is_sync_enabled": account.is_sync_enabled,
        "is_syncing": account.is_syncing,
        "sync_interval_seconds": account.sync_interval,
        "last_sync_at": answers.time_of(account.last_sync_at),
        "last_error": account.last_error,
    }


async def _followed(
    request: Request, caller: Caller, account_id: AccountId, changed: dict[str, Any]
) -> Account:
    async with caller.tx() as tx:
        account = await writable(tx, account_id)
        answers.must_match(request, _tag(account))
        before = {name: getattr(account, name) for name in _FOLLOWING}
        after = {name: value for name, value in changed.items() if before[name] != value}
        if not after:
            return account
        modseq = await changes.next_modseq(tx, account_id)
        await accounts.set_following(tx, account_id, **{**before, **after})
        was = {name: before[name] for name in after}
        await audit.append(tx, "account.change", "account", account_id, before=was, after=after)
        await changes.append(tx, account_id, modseq, "updated", "account", [account_id])
        return await accounts.by_id(tx, account_id)


async def _connect(
    tx: TenantTx, caller: Caller, account: Account, body: shapes.NewAccount, hostname: str, password: str
) -> dict[str, Any]:
    port, username = (
        body.port or PORTS[body.protocol][body.encryption],
        body.username or account.email_address,
    )
    credential_id = await credentials.put_password(tx, account.id, password, caller.context.master)
    await accounts.connect(
        tx,
        account.id,
        protocol=body.protocol,
        hostname=hostname,
        port=port,
        encryption=body.encryption,
        username=username,
        credential_id=credential_id,
        ca_pem=body.ca_pem,
    )
    return {"hostname": hostname, "port": port, "encryption": body.encryption, "username": username}


def _address(text: str) -> str:
    found = mailboxes([text])
    if len(found) != 1 or found[0].name:
        raise bad("It is not one address: write name@example.com.", "email_address")
    return found[0].address.lower()


def _taken() -> Problem:
    return Problem(
        409, "taken", "The tenant has an account with this address already.", field="email_address"
    )


def _tag(account: Account) -> str:
    """Of what can be changed here; that a sync goes on does not make it another."""
    said = "|".join(repr(getattr(account, name)) for name in _FOLLOWING)
    return answers.tag_of(f"{account.id}{said}{account.last_sync_at}{account.last_error}{account.is_syncing}")


def _state(account: Account, ledger: list[Ledger]) -> str:
    if account.is_syncing:
        return "syncing"
    if account.last_error:
        return "failing"
    if any(each.unaccounted for each in ledger):
        return "unaccounted"
    if not account.is_sync_enabled:
        return "paused"
    return "never" if account.hostname and account.last_sync_at is None else "ok"


def _ledger(each: Ledger) -> dict[str, Any]:
    return {
        "name": each.name,
        "is_followed": each.is_followed,
        "is_deleted": each.is_deleted,
        "deleted_at": answers.time_of(each.deleted_at),
        "listed": each.listed_count,
        "stored": each.stored,
        "purged": each.purged,
        "pending": each.pending,
        "quarantined": each.quarantined,
        "gone": each.gone,
        "unaccounted": each.unaccounted,
    }
