"""Operations: everything that can be asked. Written from the OpenAPI document by `make client`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import uuid4

from postroom.client.calls import Call, asked, operation, paged, path
from postroom.client.reading import UNSET, Id, Page, Unset, given
from postroom.client.values import (
    Account,
    Alive,
    AttachmentOfMessage,
    AttachmentText,
    Cancelled,
    Changed,
    ChangedMany,
    Changes,
    Delivery,
    Draft,
    DraftSummary,
    Folder,
    Found,
    FoundPage,
    Header,
    Health,
    Key,
    ListedSend,
    ListedTenant,
    ListedThread,
    MadeWebhook,
    MatchOfSearch,
    Me,
    Message,
    NewFile,
    NewSecret,
    Ready,
    Recorded,
    Replayed,
    Sender,
    Sent,
    StandingSearch,
    Summary,
    Tenant,
    Tested,
    Thread,
    Webhook,
)


class Operations:
    """By the names of the document."""

    @operation
    @staticmethod
    def list_accounts() -> Call[tuple[Account, ...]]:
        """The accounts that the key sees, by address."""
        return Call("GET", "/v1/accounts", tuple[Account, ...], within="items")

    @operation
    @staticmethod
    def create_account(
        *,
        email_address: str,
        account_name: str | None = None,
        user_id: Id | None = None,
        protocol: Literal["imap", "pop3"] = "imap",
        hostname: str | None = None,
        port: int | None = None,
        encryption: Literal["none", "tls", "starttls"] = "tls",
        username: str | None = None,
        password: str | None = None,
        ca_pem: str | None = None,
    ) -> Call[Account]:
        """Make an account. Its mail comes with the next sync. 409 where the tenant has the address already."""
        return Call(
            "POST",
            "/v1/accounts",
            Account,
            body=asked(
                {
                    "email_address": email_address,
                    "account_name": account_name,
                    "user_id": user_id,
                    "protocol": protocol,
                    "hostname": hostname,
                    "port": port,
                    "encryption": encryption,
                    "username": username,
                    "password": password,
                    "ca_pem": ca_pem,
                }
            ),
        )

    @operation
    @staticmethod
    def get_account(account_id: Id) -> Call[Account]:
        """One account; its ETag goes into If-Match of a change."""
        return Call("GET", path("/v1/accounts/{account_id}", account_id=account_id), Account)

    @operation
    @staticmethod
    def change_account(
        account_id: Id,
        *,
        if_match: str | None = None,
        account_name: str | Unset | None = UNSET,
        is_sync_enabled: bool | Unset | None = UNSET,
        sync_interval_seconds: int | Unset | None = UNSET,
    ) -> Call[Account]:
        """Its name, whether it is kept in step with its server, and how often. Takes If-Match."""
        return Call(
            "PATCH",
            path("/v1/accounts/{account_id}", account_id=account_id),
            Account,
            body=given(
                {
                    "account_name": account_name,
                    "is_sync_enabled": is_sync_enabled,
                    "sync_interval_seconds": sync_interval_seconds,
                }
            ),
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def remove_account(account_id: Id, *, if_match: str | None = None) -> Call[None]:
        """With its passwords. What came from it stays to be read; on its server nothing is done."""
        return Call(
            "DELETE",
            path("/v1/accounts/{account_id}", account_id=account_id),
            None,
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def pause_account(account_id: Id, *, if_match: str | None = None) -> Call[Account]:
        """No sync begins any more. One that is at work goes on to its end."""
        return Call(
            "POST",
            path("/v1/accounts/{account_id}/pause", account_id=account_id),
            Account,
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def resume_account(account_id: Id, *, if_match: str | None = None) -> Call[Account]:
        """It is kept in step again, and is due at once."""
        return Call(
            "POST",
            path("/v1/accounts/{account_id}/resume", account_id=account_id),
            Account,
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def sync_account(account_id: Id) -> Call[Account]:
        """It is due at once: the next worker that is free brings it in step. 409 where it is paused or has no server."""
        return Call("POST", path("/v1/accounts/{account_id}/sync", account_id=account_id), Account)

    @operation
    @staticmethod
    def account_health(account_id: Id) -> Call[Health]:
        """How it is, and the account of every UID that its server ever listed."""
        return Call("GET", path("/v1/accounts/{account_id}/health", account_id=account_id), Health)

    @operation
    @staticmethod
    def get_sender(account_id: Id) -> Call[Sender]:
        """By which server the account sends. 404 where nobody has said it yet."""
        return Call("GET", path("/v1/accounts/{account_id}/sender", account_id=account_id), Sender)

    @operation
    @staticmethod
    def set_sender(
        account_id: Id,
        *,
        hostname: str,
        port: int | None = None,
        encryption: Literal["none", "tls", "starttls"] = "tls",
        username: str | None = None,
        password: str | None = None,
        sign_in: Literal["mailbox", "none"] = "mailbox",
        display_name: str | None = None,
        sent_copy: Literal["auto", "append", "server", "none"] = "auto",
    ) -> Call[Sender]:
        """Say by which server the account sends from now on. A password is sealed and not shown; without one the account signs
        in with the password of its mailbox, or with `sign_in` none not at all."""
        return Call(
            "PUT",
            path("/v1/accounts/{account_id}/sender", account_id=account_id),
            Sender,
            body=asked(
                {
                    "hostname": hostname,
                    "port": port,
                    "encryption": encryption,
                    "username": username,
                    "password": password,
                    "sign_in": sign_in,
                    "display_name": display_name,
                    "sent_copy": sent_copy,
                }
            ),
        )

    @operation
    @staticmethod
    def list_folders(account_id: Id) -> Call[tuple[Folder, ...]]:
        """The folders of an account, by name, with how much is in each."""
        return Call(
            "GET",
            path("/v1/accounts/{account_id}/folders", account_id=account_id),
            tuple[Folder, ...],
            within="items",
        )

    @operation
    @staticmethod
    def create_folder(account_id: Id, *, name: str) -> Call[Folder]:
        """Here at once; its server is told by the next sync."""
        return Call(
            "POST",
            path("/v1/accounts/{account_id}/folders", account_id=account_id),
            Folder,
            body=asked({"name": name}),
        )

    @operation
    @staticmethod
    def get_folder(folder_id: Id) -> Call[Folder]:
        """One folder, with how much is in it."""
        return Call("GET", path("/v1/folders/{folder_id}", folder_id=folder_id), Folder)

    @operation
    @staticmethod
    def rename_folder(folder_id: Id, *, name: str) -> Call[Folder]:
        """Another name, for all that is below it, too."""
        return Call(
            "PATCH", path("/v1/folders/{folder_id}", folder_id=folder_id), Folder, body=given({"name": name})
        )

    @operation
    @staticmethod
    def delete_folder(folder_id: Id) -> Call[None]:
        """What lies in it goes to Trash before."""
        return Call("DELETE", path("/v1/folders/{folder_id}", folder_id=folder_id), None)

    @paged(Summary)
    @staticmethod
    def list_messages(
        *,
        folder_id: Id | None = None,
        account_id: Id | None = None,
        is_: Literal["unread", "flagged", "draft"] | None = None,
        list_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        fields: Sequence[str] | None = None,
    ) -> Call[Page[Summary]]:
        """Newest first: of a folder, of an account what is unread, flagged or a draft, of a mailing list, or everything.
        For anything else there is /v1/search."""
        return Call(
            "GET",
            "/v1/messages",
            Page[Summary],
            query=asked(
                {
                    "folder_id": folder_id,
                    "account_id": account_id,
                    "is": is_,
                    "list_id": list_id,
                    "limit": limit,
                    "cursor": cursor,
                    "fields": fields,
                }
            ),
        )

    @operation
    @staticmethod
    def get_message(message_id: Id, *, fields: Sequence[str] | None = None) -> Call[Message]:
        """One message; its ETag goes into If-Match of a change."""
        return Call(
            "GET",
            path("/v1/messages/{message_id}", message_id=message_id),
            Message,
            query=asked({"fields": fields}),
        )

    @operation
    @staticmethod
    def mark_message(
        message_id: Id,
        *,
        if_match: str | None = None,
        is_read: bool | Unset | None = UNSET,
        is_flagged: bool | Unset | None = UNSET,
        is_answered: bool | Unset | None = UNSET,
        is_draft: bool | Unset | None = UNSET,
        add_keywords: Sequence[str] | Unset = UNSET,
        remove_keywords: Sequence[str] | Unset = UNSET,
    ) -> Call[Changed]:
        """Set and take away flags and keywords, in all folders of the message. Takes If-Match."""
        return Call(
            "PATCH",
            path("/v1/messages/{message_id}", message_id=message_id),
            Changed,
            body=given(
                {
                    "is_read": is_read,
                    "is_flagged": is_flagged,
                    "is_answered": is_answered,
                    "is_draft": is_draft,
                    "add_keywords": add_keywords,
                    "remove_keywords": remove_keywords,
                }
            ),
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def delete_message(message_id: Id, *, if_match: str | None = None) -> Call[Changed]:
        """Out of every list and search; on its server it goes to Trash. It can be restored until it is purged."""
        return Call(
            "DELETE",
            path("/v1/messages/{message_id}", message_id=message_id),
            Changed,
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def raw_message(message_id: Id) -> Call[bytes]:
        """The exact bytes as they came (message/rfc822). Takes Range and If-None-Match."""
        return Call("GET", path("/v1/messages/{message_id}/raw", message_id=message_id), bytes)

    @operation
    @staticmethod
    def message_headers(message_id: Id) -> Call[tuple[Header, ...]]:
        """Every field of the header in its order, decoded."""
        return Call(
            "GET",
            path("/v1/messages/{message_id}/headers", message_id=message_id),
            tuple[Header, ...],
            within="items",
        )

    @paged(Summary)
    @staticmethod
    def get_thread(
        thread_id: Id, *, limit: int = 50, cursor: str | None = None, fields: Sequence[str] | None = None
    ) -> Call[Thread]:
        """A conversation in its order, the oldest first."""
        return Call(
            "GET",
            path("/v1/threads/{thread_id}", thread_id=thread_id),
            Thread,
            query=asked({"limit": limit, "cursor": cursor, "fields": fields}),
        )

    @operation
    @staticmethod
    def move_message(
        message_id: Id, *, folder_id: Id, if_match: str | None = None, from_folder_id: Id | None = None
    ) -> Call[Changed]:
        """Into another folder of its account. Takes If-Match."""
        return Call(
            "POST",
            path("/v1/messages/{message_id}/move", message_id=message_id),
            Changed,
            body=asked({"folder_id": folder_id, "from_folder_id": from_folder_id}),
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def copy_message(message_id: Id, *, folder_id: Id, if_match: str | None = None) -> Call[Changed]:
        """Into another folder of its account as well."""
        return Call(
            "POST",
            path("/v1/messages/{message_id}/copy", message_id=message_id),
            Changed,
            body=asked({"folder_id": folder_id}),
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def restore_message(message_id: Id, *, if_match: str | None = None) -> Call[Changed]:
        """Back to where it lay, here and on its server."""
        return Call(
            "POST",
            path("/v1/messages/{message_id}/restore", message_id=message_id),
            Changed,
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def change_messages(
        *,
        action: Literal["mark", "move", "copy", "delete", "restore"],
        ids: Sequence[Id],
        is_read: bool | None = None,
        is_flagged: bool | None = None,
        is_answered: bool | None = None,
        is_draft: bool | None = None,
        add_keywords: Sequence[str] | None = None,
        remove_keywords: Sequence[str] | None = None,
        folder_id: Id | None = None,
        from_folder_id: Id | None = None,
    ) -> Call[ChangedMany]:
        """The same for up to 1,000 messages, in one transaction: all of it, or on a refusal nothing. Ids that are not there are
        named in `not_found`, and stop nothing."""
        return Call(
            "POST",
            "/v1/messages/batch",
            ChangedMany,
            body=asked(
                {
                    "is_read": is_read,
                    "is_flagged": is_flagged,
                    "is_answered": is_answered,
                    "is_draft": is_draft,
                    "add_keywords": add_keywords,
                    "remove_keywords": remove_keywords,
                    "action": action,
                    "ids": ids,
                    "folder_id": folder_id,
                    "from_folder_id": from_folder_id,
                }
            ),
        )

    @paged(ListedThread)
    @staticmethod
    def list_threads(
        *, folder_id: Id | None = None, limit: int = 50, cursor: str | None = None
    ) -> Call[Page[ListedThread]]:
        """Conversations, the one with the newest message first; with `folder_id` those with mail in that folder, by the newest
        that lies there. Counts are of the whole conversation."""
        return Call(
            "GET",
            "/v1/threads",
            Page[ListedThread],
            query=asked({"folder_id": folder_id, "limit": limit, "cursor": cursor}),
        )

    @operation
    @staticmethod
    def get_attachment(attachment_id: Id) -> Call[AttachmentOfMessage]:
        """What an attachment is: its name, kind, size and SHA-256, and where its bytes are."""
        return Call(
            "GET", path("/v1/attachments/{attachment_id}", attachment_id=attachment_id), AttachmentOfMessage
        )

    @operation
    @staticmethod
    def attachment_content(attachment_id: Id, *, inline: bool = False) -> Call[bytes]:
        """The bytes. Takes Range, If-Range and If-None-Match."""
        return Call(
            "GET",
            path("/v1/attachments/{attachment_id}/content", attachment_id=attachment_id),
            bytes,
            query=asked({"inline": inline}),
        )

    @operation
    @staticmethod
    def attachment_text(attachment_id: Id) -> Call[AttachmentText]:
        """What it says, where it is text, HTML or a message. 409 where there is no text to be read, as in a picture."""
        return Call(
            "GET", path("/v1/attachments/{attachment_id}/text", attachment_id=attachment_id), AttachmentText
        )

    @paged(Found)
    @staticmethod
    def search_messages(
        *,
        q: str = "",
        account_id: Id | None = None,
        ranked: bool = False,
        tz: str = "UTC",
        facets: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        fields: Sequence[str] | None = None,
    ) -> Call[FoundPage]:
        """What a search finds, newest first, each with the piece of its text that shows why; counted by folder, sender and year
        where that is asked for."""
        return Call(
            "GET",
            "/v1/search",
            FoundPage,
            query=asked(
                {
                    "q": q,
                    "account_id": account_id,
                    "ranked": ranked,
                    "tz": tz,
                    "facets": facets,
                    "limit": limit,
                    "cursor": cursor,
                    "fields": fields,
                }
            ),
        )

    @operation
    @staticmethod
    def list_searches() -> Call[tuple[StandingSearch, ...]]:
        """The standing searches of the tenant, the oldest first; with a key of one user, that user's."""
        return Call("GET", "/v1/searches", tuple[StandingSearch, ...], within="items")

    @operation
    @staticmethod
    def create_search(
        *, name: str, query: str, timezone: str = "UTC", account_id: Id | None = None
    ) -> Call[StandingSearch]:
        """Ask this of what comes in from now on. For what is there already: GET /v1/search. 409 where there are 100 already."""
        return Call(
            "POST",
            "/v1/searches",
            StandingSearch,
            body=asked({"name": name, "query": query, "timezone": timezone, "account_id": account_id}),
        )

    @operation
    @staticmethod
    def get_search(search_id: Id) -> Call[StandingSearch]:
        """One standing search."""
        return Call("GET", path("/v1/searches/{search_id}", search_id=search_id), StandingSearch)

    @operation
    @staticmethod
    def change_search(
        search_id: Id,
        *,
        name: str | Unset | None = UNSET,
        query: str | Unset | None = UNSET,
        timezone: str | Unset | None = UNSET,
        account_id: Id | Unset | None = UNSET,
    ) -> Call[StandingSearch]:
        """What it is called and asks, from now on. What matched before stays."""
        return Call(
            "PATCH",
            path("/v1/searches/{search_id}", search_id=search_id),
            StandingSearch,
            body=given({"name": name, "query": query, "timezone": timezone, "account_id": account_id}),
        )

    @operation
    @staticmethod
    def remove_search(search_id: Id) -> Call[None]:
        """With the list of what it matched. The messages stay."""
        return Call("DELETE", path("/v1/searches/{search_id}", search_id=search_id), None)

    @paged(MatchOfSearch)
    @staticmethod
    def list_matches(
        search_id: Id, *, limit: int = 50, cursor: str | None = None
    ) -> Call[Page[MatchOfSearch]]:
        """What it matched, what came in last first. Each message once, as it was when it came in."""
        return Call(
            "GET",
            path("/v1/searches/{search_id}/matches", search_id=search_id),
            Page[MatchOfSearch],
            query=asked({"limit": limit, "cursor": cursor}),
        )

    @operation
    @staticmethod
    def list_drafts(*, account_id: Id, limit: int = 50) -> Call[tuple[DraftSummary, ...]]:
        """The drafts of an account, the last touched first."""
        return Call(
            "GET",
            "/v1/drafts",
            tuple[DraftSummary, ...],
            query=asked({"account_id": account_id, "limit": limit}),
            within="items",
        )

    @operation
    @staticmethod
    def create_draft(
        *,
        account_id: Id,
        to: Sequence[str] | None = None,
        cc: Sequence[str] | None = None,
        bcc: Sequence[str] | None = None,
        subject: str | None = None,
        text: str | None = None,
        html: str | None = None,
        attachments: Sequence[NewFile] | None = None,
        reply_to_message_id: Id | None = None,
        reply_all: bool = False,
        forward_message_id: Id | None = None,
        as_attachment: bool = False,
        quotes: bool = True,
    ) -> Call[Draft]:
        """Begin a message; nothing is sent until it is asked for."""
        return Call(
            "POST",
            "/v1/drafts",
            Draft,
            body=asked(
                {
                    "to": to,
                    "cc": cc,
                    "bcc": bcc,
                    "subject": subject,
                    "text": text,
                    "html": html,
                    "attachments": attachments,
                    "reply_to_message_id": reply_to_message_id,
                    "reply_all": reply_all,
                    "forward_message_id": forward_message_id,
                    "as_attachment": as_attachment,
                    "quotes": quotes,
                    "account_id": account_id,
                }
            ),
        )

    @operation
    @staticmethod
    def get_draft(draft_id: Id) -> Call[Draft]:
        """One draft; its ETag goes into If-Match of a change."""
        return Call("GET", path("/v1/drafts/{draft_id}", draft_id=draft_id), Draft)

    @operation
    @staticmethod
    def change_draft(
        draft_id: Id,
        *,
        if_match: str | None = None,
        to: Sequence[str] | Unset | None = UNSET,
        cc: Sequence[str] | Unset | None = UNSET,
        bcc: Sequence[str] | Unset | None = UNSET,
        subject: str | Unset | None = UNSET,
        text: str | Unset | None = UNSET,
        html: str | Unset | None = UNSET,
        attachments: Sequence[NewFile] | Unset | None = UNSET,
    ) -> Call[Draft]:
        """Takes If-Match: 412 where somebody else changed it meanwhile."""
        return Call(
            "PATCH",
            path("/v1/drafts/{draft_id}", draft_id=draft_id),
            Draft,
            body=given(
                {
                    "to": to,
                    "cc": cc,
                    "bcc": bcc,
                    "subject": subject,
                    "text": text,
                    "html": html,
                    "attachments": attachments,
                }
            ),
            headers={"If-Match": if_match},
        )

    @operation
    @staticmethod
    def delete_draft(draft_id: Id, *, if_match: str | None = None) -> Call[None]:
        """Throw a draft away."""
        return Call(
            "DELETE", path("/v1/drafts/{draft_id}", draft_id=draft_id), None, headers={"If-Match": if_match}
        )

    @operation
    @staticmethod
    def send_draft(
        draft_id: Id,
        *,
        if_match: str | None = None,
        send_at: datetime | str | None = None,
        undo_seconds: int = 0,
    ) -> Call[Sent]:
        """It goes into the outbox; a worker sends it. Until then it can be cancelled, and is a draft again."""
        return Call(
            "POST",
            path("/v1/drafts/{draft_id}/send", draft_id=draft_id),
            Sent,
            body=asked({"send_at": send_at, "undo_seconds": undo_seconds}),
            headers={"If-Match": if_match},
        )

    @paged(ListedSend)
    @staticmethod
    def list_sends(*, account_id: Id, limit: int = 50, cursor: str | None = None) -> Call[Page[ListedSend]]:
        """What an account sent and is to send, newest first."""
        return Call(
            "GET",
            "/v1/sends",
            Page[ListedSend],
            query=asked({"account_id": account_id, "limit": limit, "cursor": cursor}),
        )

    @operation
    @staticmethod
    def send(
        *,
        account_id: Id,
        idempotency_key: str | None = None,
        send_at: datetime | str | None = None,
        undo_seconds: int = 0,
        to: Sequence[str] | None = None,
        cc: Sequence[str] | None = None,
        bcc: Sequence[str] | None = None,
        subject: str | None = None,
        text: str | None = None,
        html: str | None = None,
        attachments: Sequence[NewFile] | None = None,
        reply_to_message_id: Id | None = None,
        reply_all: bool = False,
        forward_message_id: Id | None = None,
        as_attachment: bool = False,
        quotes: bool = True,
    ) -> Call[Sent]:
        """Put a letter into the outbox. With the header Idempotency-Key the same key twice sends one letter."""
        return Call(
            "POST",
            "/v1/sends",
            Sent,
            body=asked(
                {
                    "send_at": send_at,
                    "undo_seconds": undo_seconds,
                    "to": to,
                    "cc": cc,
                    "bcc": bcc,
                    "subject": subject,
                    "text": text,
                    "html": html,
                    "attachments": attachments,
                    "reply_to_message_id": reply_to_message_id,
                    "reply_all": reply_all,
                    "forward_message_id": forward_message_id,
                    "as_attachment": as_attachment,
                    "quotes": quotes,
                    "account_id": account_id,
                }
            ),
            headers={"Idempotency-Key": idempotency_key or str(uuid4())},
        )

    @operation
    @staticmethod
    def get_send(send_id: Id) -> Call[Sent]:
        """How it stands, for each recipient."""
        return Call("GET", path("/v1/sends/{send_id}", send_id=send_id), Sent)

    @operation
    @staticmethod
    def cancel_send(send_id: Id) -> Call[Cancelled]:
        """Take it back. 409 where it is too late."""
        return Call("POST", path("/v1/sends/{send_id}/cancel", send_id=send_id), Cancelled)

    @operation
    @staticmethod
    def list_changes(
        *, since: str | None = None, account_id: Id | None = None, limit: int = 200
    ) -> Call[Changes]:
        """What was created, updated and deleted. 410 where the cursor is not of this feed any more (a store that was restored
        from a backup): list again and go on from `since=now`, asked before the listing."""
        return Call(
            "GET",
            "/v1/changes",
            Changes,
            query=asked({"since": since, "account_id": account_id, "limit": limit}),
        )

    @operation
    @staticmethod
    def list_webhooks() -> Call[tuple[Webhook, ...]]:
        """The webhooks of the tenant, the oldest first; with a key of one user, that user's."""
        return Call("GET", "/v1/webhooks", tuple[Webhook, ...], within="items")

    @operation
    @staticmethod
    def create_webhook(
        *,
        url: str,
        description: str = "",
        events: Sequence[
            Literal[
                "message.created",
                "message.updated",
                "message.deleted",
                "folder.created",
                "folder.updated",
                "folder.deleted",
                "account.created",
                "account.updated",
                "account.deleted",
                "thread.updated",
                "match.created",
                "webhook.updated",
            ]
        ]
        | None = None,
        account_id: Id | None = None,
        folder_id: Id | None = None,
        search_id: Id | None = None,
    ) -> Call[MadeWebhook]:
        """Make one. It hears of what happens from now on; its secret is shown this once. 409 where there are 100 already."""
        return Call(
            "POST",
            "/v1/webhooks",
            MadeWebhook,
            body=asked(
                {
                    "url": url,
                    "description": description,
                    "events": events,
                    "account_id": account_id,
                    "folder_id": folder_id,
                    "search_id": search_id,
                }
            ),
        )

    @operation
    @staticmethod
    def get_webhook(webhook_id: Id) -> Call[Webhook]:
        """How it stands. Its secret is not shown again."""
        return Call("GET", path("/v1/webhooks/{webhook_id}", webhook_id=webhook_id), Webhook)

    @operation
    @staticmethod
    def change_webhook(
        webhook_id: Id,
        *,
        url: str | Unset | None = UNSET,
        description: str | Unset | None = UNSET,
        events: Sequence[
            Literal[
                "message.created",
                "message.updated",
                "message.deleted",
                "folder.created",
                "folder.updated",
                "folder.deleted",
                "account.created",
                "account.updated",
                "account.deleted",
                "thread.updated",
                "match.created",
                "webhook.updated",
            ]
        ]
        | Unset
        | None = UNSET,
        account_id: Id | Unset | None = UNSET,
        folder_id: Id | Unset | None = UNSET,
        search_id: Id | Unset | None = UNSET,
        is_enabled: bool | Unset | None = UNSET,
    ) -> Call[Webhook]:
        """Its address and what it hears of, from now on; off and on. One that was disabled goes on where it was, when it is
        enabled again."""
        return Call(
            "PATCH",
            path("/v1/webhooks/{webhook_id}", webhook_id=webhook_id),
            Webhook,
            body=given(
                {
                    "url": url,
                    "description": description,
                    "events": events,
                    "account_id": account_id,
                    "folder_id": folder_id,
                    "search_id": search_id,
                    "is_enabled": is_enabled,
                }
            ),
        )

    @operation
    @staticmethod
    def remove_webhook(webhook_id: Id) -> Call[None]:
        """With its secret and what it was still to be told."""
        return Call("DELETE", path("/v1/webhooks/{webhook_id}", webhook_id=webhook_id), None)

    @operation
    @staticmethod
    def rotate_secret(webhook_id: Id, *, overlap_seconds: int = 86400) -> Call[NewSecret]:
        """Another secret, shown this once. For a while calls bear the signatures of both."""
        return Call(
            "POST",
            path("/v1/webhooks/{webhook_id}/rotate", webhook_id=webhook_id),
            NewSecret,
            body=asked({"overlap_seconds": overlap_seconds}),
        )

    @operation
    @staticmethod
    def test_webhook(webhook_id: Id) -> Call[Tested]:
        """One call of the type `test`, made once by the next worker that is free. What came of it: the list of deliveries, where
        one that failed is `dead`. 409 where the webhook is not enabled."""
        return Call("POST", path("/v1/webhooks/{webhook_id}/test", webhook_id=webhook_id), Tested)

    @operation
    @staticmethod
    def replay_webhook(
        webhook_id: Id, *, what: Literal["dead", "feed"], since: str | None = None
    ) -> Call[Replayed]:
        """Tell it once more: what was given up, or the feed from a cursor on."""
        return Call(
            "POST",
            path("/v1/webhooks/{webhook_id}/replay", webhook_id=webhook_id),
            Replayed,
            body=asked({"what": what, "since": since}),
        )

    @paged(Delivery)
    @staticmethod
    def list_deliveries(
        webhook_id: Id,
        *,
        state: Literal["pending", "dead"] = "dead",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Call[Page[Delivery]]:
        """The calls that wait, or were given up, in the order in which they were to be made. What has arrived is not kept."""
        return Call(
            "GET",
            path("/v1/webhooks/{webhook_id}/deliveries", webhook_id=webhook_id),
            Page[Delivery],
            query=asked({"state": state, "limit": limit, "cursor": cursor}),
        )

    @paged(Recorded)
    @staticmethod
    def list_audit(
        *,
        object_type: str | None = None,
        object_id: Id | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Call[Page[Recorded]]:
        """The trail of the tenant, or of one thing by its type and id. A key of one user sees what that user did."""
        return Call(
            "GET",
            "/v1/audit",
            Page[Recorded],
            query=asked(
                {"object_type": object_type, "object_id": object_id, "limit": limit, "cursor": cursor}
            ),
        )

    @operation
    @staticmethod
    def who_am_i() -> Call[Me]:
        """Whose the key or token is, and what it may do. Any scope, or none, will do."""
        return Call("GET", "/v1/me", Me)

    @operation
    @staticmethod
    def list_tenants() -> Call[tuple[ListedTenant, ...]]:
        """Every tenant, by name."""
        return Call("GET", "/v1/tenants", tuple[ListedTenant, ...], within="items")

    @operation
    @staticmethod
    def create_tenant(*, name: str) -> Call[Tenant]:
        """Make a tenant. 409 where there is one of this name."""
        return Call("POST", "/v1/tenants", Tenant, body=asked({"name": name}))

    @operation
    @staticmethod
    def create_key(
        tenant_id: Id,
        *,
        scopes: Sequence[Literal["read", "write", "send", "admin"]],
        name: str = "",
        expires_in_seconds: int | None = None,
    ) -> Call[Key]:
        """A key for the whole of a tenant, shown this once."""
        return Call(
            "POST",
            path("/v1/tenants/{tenant_id}/keys", tenant_id=tenant_id),
            Key,
            body=asked({"name": name, "scopes": scopes, "expires_in_seconds": expires_in_seconds}),
        )

    @operation
    @staticmethod
    def healthz() -> Call[Alive]:
        """The process is alive."""
        return Call("GET", "/healthz", Alive)

    @operation
    @staticmethod
    def readyz() -> Call[Ready]:
        """The database answers, and has the schema that this program knows. 503 otherwise, and while the service stops."""
        return Call("GET", "/readyz", Ready)

    @operation
    @staticmethod
    def metrics() -> Call[str]:
        """In the format of Prometheus."""
        return Call("GET", "/metrics", str)
