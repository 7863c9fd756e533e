"""Shapes of standing searches and of what they matched."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from postroom.api.shapes import Shape, Text, Time

Name = Annotated[Text, Field(min_length=1, max_length=200, examples=["invoices over a megabyte"])]
Query = Annotated[Text, Field(min_length=1, max_length=2000, examples=["invoice has:attachment larger:1M"])]
Zone = Annotated[Text, Field(min_length=1, max_length=60, examples=["Europe/Berlin"])]


class NewSearch(Shape):
    """A query of the search language, asked of every message that comes in from now on; days are those of `timezone`."""

    name: Name
    query: Query
    timezone: Zone = "UTC"
    account_id: UUID | None = None


class SearchChange(Shape):
    """What is left out stays, and so does what matched."""

    name: Name | None = None
    query: Query | None = None
    timezone: Zone | None = None
    account_id: UUID | None = None


class StandingSearch(BaseModel):
    id: UUID
    user_id: UUID | None
    name: str
    query: str
    timezone: str
    account_id: UUID | None
    created_at: Time
    updated_at: Time


class StandingSearches(BaseModel):
    items: list[StandingSearch]


class MatchOfSearch(BaseModel):
    id: UUID
    message_id: UUID
    account_id: UUID
    matched_at: Time
