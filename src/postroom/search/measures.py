"""Dates and sizes as people write them."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final

_DATE: Final = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?", re.ASCII)
_AGO: Final = re.compile(r"(\d{1,4})([dwmy])", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([kmgt]?)b?", re.ASCII)
_DAYS: Final = {"d": 1, "w": 7}
_MONTHS: Final = {"m": 1, "y": 12}
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_LARGEST: Final = 2**63 - 1
_YEARS: Final = range(1900, 3000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What time it is, and where a day begins."""

    now: datetime
    timezone: tzinfo


def instant_of(text: str, clock: Clock) -> int | None:
    """The moment that lies `7d`, `2w`, `3m` or `1y` back, in milliseconds; None for anything else."""
    moment = _ago(text, clock)
    return None if moment is None else _milliseconds(moment)


def period_of(text: str, clock: Clock) -> tuple[int, int] | None:
    """The first millisecond of a year, a month or a day, and the first after it; None when it is no date."""
    period = _days(text, clock)
    if period is None:
        return None
    start, end = (datetime(day.year, day.month, day.day, tzinfo=clock.timezone) for day in period)
    return _milliseconds(start), _milliseconds(end)


def bytes_of(text: str) -> int | None:
    """`10k`, `5m`, `1.5mb` or `500` in bytes, a k being 1,024; None when it is no size."""
    size = _SIZE.fullmatch(text)
    if size is None:
        return None
    return min(int(Decimal(size[1]) * _UNITS[size[2]]), _LARGEST)


def _days(text: str, clock: Clock) -> tuple[date, date] | None:
    today = clock.now.astimezone(clock.timezone).date()
    if text == "today":
        return today, today + timedelta(days=1)
    if text == "yesterday":
        return today - timedelta(days=1), today
    if moment := _ago(text, clock):
        return moment.date(), moment.date() + timedelta(days=1)
    return _dates(text)


def _dates(text: str) -> tuple[date, date] | None:
    found = _DATE.fullmatch(text)
    if found is None or int(found[1]) not in _YEARS:
        return None
    year, month, day = (None if part is None else int(part) for part in found.groups())
    assert year is not None, "the pattern asks for it"
    try:
        start = date(year, month or 1, day or 1) if 0 not in (month, day) else None
    except ValueError:
        return None
    if start is None:
        return None
    if day is not None:
        return start, start + timedelta(days=1)
    return start, _later(start, 1 if month is not None else 12)


def _ago(text: str, clock: Clock) -> datetime | None:
    found = _AGO.fullmatch(text)
    if found is None:
        return None
    amount, unit = int(found[1]), found[2]
    now = clock.now.astimezone(clock.timezone)
    if unit in _DAYS:
        return now - timedelta(days=amount * _DAYS[unit])
    months = amount * _MONTHS[unit]
    if months > 12 * (now.year - _YEARS.start):
        return None
    return datetime.combine(_later(now.date(), -months), now.timetz())


def _later(day: date, months: int) -> date:
    """The same day so many months on, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
