"""Context: what every request has at hand, made once when the service starts."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.api.cursors import Cursors
from postroom.api.figures import Figures
from postroom.api.hub import Hub
from postroom.api.keyring import Keyring
from postroom.api.limits import Limits
from postroom.blobs import Blobs
from postroom.settings import Settings
from postroom.store.credentials import MasterKey
from postroom.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    settings: Settings
    db: Database
    blobs: Blobs
    cursors: Cursors
    keyring: Keyring
    limits: Limits
    figures: Figures
    hub: Hub
    master: MasterKey
