"""Fixtures of this room."""

from tests.store.crowd import crowd
from tests.support.site import store

__all__ = ["crowd", "store"]
