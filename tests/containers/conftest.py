"""Fixtures of this room."""

from tests.support.podman import images

__all__ = ["images"]
