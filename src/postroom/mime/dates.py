"""Dates: what senders write (RFC 5322 3.3 and 4.3, and worse) as an aware datetime."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6}
_MONTHS |= {"jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}
# RFC 5322 4.3: the zones of old. Its military letters mean nothing that can be relied on: they are UTC.
_ZONES = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_ZONES |= {"wet": 0, "bst": 1, "cet": 1, "cest": 2, "met": 1, "mest": 2, "mesz": 2, "eet": 2, "eest": 3}
_ZONES |= {"msk": 3, "jst": 9, "kst": 9, "akst": -9, "akdt": -8, "hst": -10, "aest": 10, "aedt": 11}

_TIME = (
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?(?:[.,]\d+)?(?:\s*(?P<half>[ap]m)\b)?"
)
_ZONE = r"(?:(?:GMT|UTC)?(?P<offset>[+-]\d{1,2}:?\d{2})|(?P<zone>[A-Za-z]{1,5})\b)?"
_MONTH = r"(?P<month>[A-Za-z]{3})[A-Za-z]{0,7}\.?"
_SHAPES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Mon, 24 Nov 2025 10:15:00 +0100
        rf"(?P<day>\d{{1,2}})[\s-]+{_MONTH}[\s,-]+(?P<year>\d{{2,4}})(?:[,\s]+(?:at\s+)?{_TIME}\s*{_ZONE})?",
        # Mon Nov 24 10:15:00 CET 2025, and with an offset at its end
        rf"{_MONTH}\s+(?P<day>\d{{1,2}})\s+{_TIME}\s+{_ZONE}\s*(?P<year>\d{{4}})(?:\s+(?P<last>[+-]\d{{4}})\b)?",
        # November 24, 2025 10:15
        rf"{_MONTH}\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}})(?:[,\s]+(?:at\s+)?{_TIME}\s*{_ZONE})?",
        # 2025-11-24T10:15:00Z
        rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})(?:[T\s]+{_TIME}\s*{_ZONE})?",
    )
]
_ZONE_AS_COMMENT = re.compile(r"\(([A-Za-z]{1,5})\)")
_COMMENT = re.compile(r"\([^()]*\)")
_SPACED_COLON = re.compile(r"\s*:\s*")
_YEARS = range(1900, 9999)


def parse_date(value: str) -> datetime | None:
    """An aware datetime between the years 1900 and 9998, or None."""
    value = value[:200]
    if "(" in value:  # RFC 5322 4.3: comments and white space may stand anywhere
        value = _COMMENT.sub(" ", _ZONE_AS_COMMENT.sub(r" \1 ", value))
    if " :" in value or ": " in value:
        value = _SPACED_COLON.sub(":", value)
    for shape in _SHAPES:
        found = shape.search(value)
        if found and (moment := _moment(found)):
            return moment
    return None


def _moment(found: re.Match[str]) -> datetime | None:
    month, year = _month(found["month"]), _year(found["year"])
    if month is None or year not in _YEARS:
        return None
    hour = int(found["hour"] or 0)
    if found["half"] and hour <= 12:
        hour = hour % 12 + (12 if found["half"].lower() == "pm" else 0)
    second = min(int(found["second"] or 0), 59)  # RFC 5322 3.3: a leap second is the 60th
    try:
        zone = _zone(found["offset"] or found.groupdict().get("last"), found["zone"])
        return datetime(year, month, int(found["day"]), hour, int(found["minute"] or 0), second, tzinfo=zone)
    except ValueError:
        return None


def _month(text: str) -> int | None:
    return int(text) if text.isdigit() else _MONTHS.get(text.lower())


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 2:  # RFC 5322 4.3
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


@lru_cache(maxsize=256)
def _zone(offset: str | None, name: str | None) -> timezone:
    if offset:
        digits = offset[1:].replace(":", "").rjust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        if minutes >= 24 * 60:  # RFC 5322 3.3 allows up to +9959; no such place is known
            return UTC
        return timezone(timedelta(minutes=minutes if offset[0] == "+" else -minutes))
    hours = _ZONES.get(name.lower(), 0) if name else 0
    return timezone(timedelta(hours=hours)) if hours else UTC
