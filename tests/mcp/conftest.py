"""Fixtures of this room: the houses of the API's tests."""

from tests.api.conftest import box, house, neighbour, service, store

__all__ = ["box", "house", "neighbour", "service", "store"]
