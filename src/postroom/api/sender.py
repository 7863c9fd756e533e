"""Sender: by which server the mail of an account goes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from postroom.api import answers
from postroom.api import shapes_letters as shapes
from postroom.api.accounts import writable
from postroom.api.auth import Admin, Reader
from postroom.api.problems import bad, not_found
from postroom.model import AccountId
from postroom.store import accounts, audit, changes, credentials, senders
from postroom.store.senders import Sender

router = APIRouter(tags=["accounts"])


@router.get("/v1/accounts/{account_id}/sender", response_model=shapes.Sender)
async def get_sender(request: Request, caller: Reader, account_id: UUID) -> Response:
    """By which server the account sends. 404 where nobody has said it yet."""
    async with caller.tx() as tx:
        account = await accounts.by_id(tx, AccountId(account_id))
        sender = await senders.find(tx, account.id)
    if sender is None:
        raise not_found("sender")
    return answers.json(request, _shown(sender))


@router.put("/v1/accounts/{account_id}/sender", response_model=shapes.Sender)
async def set_sender(request: Request, caller: Admin, account_id: UUID, body: shapes.NewSender) -> Response:
    """Say by which server the account sends from now on. A password is sealed and not shown; without one the account signs
    in with the password of its mailbox, or with `sign_in` none not at all."""
    async with caller.tx() as tx:
        account = await writable(tx, AccountId(account_id))
        before = await senders.find(tx, account.id)
        credential_id = account.credential_id if body.sign_in == "mailbox" else None
        if body.password is not None:
            credential_id = await credentials.put_password(
                tx, account.id, body.password, caller.context.master
            )
        elif body.sign_in == "mailbox" and credential_id is None:
            raise bad("The account has no password yet: give one, or sign_in none.", "password")
        sender = Sender(
            hostname=body.hostname,
            port=body.port or senders.PORTS[body.encryption],
            encryption=body.encryption,
            username=(body.username or account.email_address) if credential_id else None,
            credential_id=credential_id,
            display_name=body.display_name,
            sent_copy=senders.copy_of(body.hostname) if body.sent_copy == "auto" else body.sent_copy,
        )
        if before is not None:
            sender = replace(
                sender,
                dkim_domain=before.dkim_domain,
                dkim_selector=before.dkim_selector,
                dkim_key_id=before.dkim_key_id,
            )
        modseq = await changes.next_modseq(tx, account.id)
        await senders.put(tx, account.id, sender)
        await credentials.forget(tx, account.id)
        was = None if before is None else _shown(before)
        await audit.append(tx, "account.smtp", "account", account.id, before=was, after=_shown(sender))
        await changes.append(tx, account.id, modseq, "updated", "account", [account.id])
    return answers.json(request, _shown(sender))


def _shown(sender: Sender) -> dict[str, Any]:
    return {
        "hostname": sender.hostname,
        "port": sender.port,
        "encryption": sender.encryption,
        "username": sender.username,
        "display_name": sender.display_name,
        "sent_copy": sender.sent_copy,
        "dkim_domain": sender.dkim_domain,
        "dkim_selector": sender.dkim_selector,
    }
