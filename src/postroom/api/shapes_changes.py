"""Shapes of what is to be changed of mail and folders."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from postroom.api.shapes import Shape, Text

Keywords = Annotated[list[Annotated[Text, Field(min_length=1, max_length=100)]], Field(max_length=50)]


class Marks(Shape):
    """true sets a flag, false takes it away, what is left out stays."""

    is_read: bool | None = None
    is_flagged: bool | None = None
    is_answered: bool | None = None
    is_draft: bool | None = None
    add_keywords: Keywords = Field(default_factory=list)
    remove_keywords: Keywords = Field(default_factory=list)


class Move(Shape):
    """Of a message in several folders the place in `from_folder_id` is left, or else the first."""

    folder_id: UUID
    from_folder_id: UUID | None = None


class Copy(Shape):
    folder_id: UUID


class Batch(Marks):
    action: Literal["mark", "move", "copy", "delete", "restore"]
    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]
    folder_id: UUID | None = None
    from_folder_id: UUID | None = None


class FolderName(Shape):
    """Levels are joined by `/`."""

    name: Annotated[Text, Field(min_length=1, max_length=500, examples=["Projects/2026"])]
