"""The client: everything that the HTTP service does, as typed calls, for programs that wait and programs that do not.

    from postroom.client import Client

    with Client("http://127.0.0.1:8420", "prk_…") as mail:
        for found in mail.search_messages.each(q="from:ann invoice"):
            print(found.received_at, found.subject)

`AsyncClient` has the same names, to be awaited. docs/reference/client.md.
"""

from postroom.client import values as values
from postroom.client.clients import AsyncClient as AsyncClient
from postroom.client.clients import Client as Client
from postroom.client.events import Event as Event
from postroom.client.problems import ClientError as ClientError
from postroom.client.problems import Conflict as Conflict
from postroom.client.problems import CursorGone as CursorGone
from postroom.client.problems import Forbidden as Forbidden
from postroom.client.problems import Meanwhile as Meanwhile
from postroom.client.problems import NotFound as NotFound
from postroom.client.problems import Problem as Problem
from postroom.client.problems import RateLimited as RateLimited
from postroom.client.problems import Unauthorized as Unauthorized
from postroom.client.problems import Unreachable as Unreachable
from postroom.client.reading import UNSET as UNSET
from postroom.client.reading import Page as Page
from postroom.client.webhooks import WebhookRefused as WebhookRefused
from postroom.client.webhooks import verify_webhook as verify_webhook
