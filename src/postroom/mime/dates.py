"""Dates: what senders write (RFC 5322 3.3 and 4.3, and worse) as an aware datetime."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {name: at for at, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
# RFC 5322 4.3: the zones of old; military letters mean nothing that can be relied on.
_ZONES = {
    "ut": 0,
    "utc": 0,
    "gmt": 0,
    "z": 0,
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
}
_ZONES |= {"pst": -8, "pdt": -7, "cet": 1, "cest": 2, "met": 1, "mest": 2, "bst": 1, "jst": 9}
_USUAL = re.compile(
    r"(\d{1,2})[\s-]+([A-Za-z]{3})[A-Za-z]*\.?[\s-]+(\d{2,4})(?:[,\s]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?)?"
    r"(?:[.,]\d+)?\s*(am|pm)?\s*(?:([+-]\d{4}|[+-]\d{2}:\d{2})|\(?([A-Za-z]{1,5})\b)?",
    re.IGNORECASE,
)
_UNIX = re.compile(
    r"([A-Za-z]{3})[a-z]*\s+(\d{1,2})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s+(?:([A-Z]{2,5})\s+)?(?:([+-]\d{4})\s+)?(\d{4})"
    r"(?:\s+([+-]\d{4}))?"
)
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T\s](\d{2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*(Z|[+-]\d{2}:?\d{2})?"
)


def parse_date(value: str) -> datetime | None:
    """An aware datetime between the years 1 and 9999, or None."""
    try:
        return _usual(value) or _unix(value) or _iso(value)
    except (ValueError, OverflowError):
        return None


def _usual(value: str) -> datetime | None:
    found = _USUAL.search(value[:200])
    if not found or found[2].lower() not in _MONTHS:
        return None
    hour = int(found[4] or 0)
    if found[7] and hour <= 12:
        hour = hour % 12 + (12 if found[7].lower() == "pm" else 0)
    return _at(_year(found[3]), found[2], found[1], hour, found[5], found[6], _zone(found[8] or found[9]))


def _unix(value: str) -> datetime | None:
    found = _UNIX.search(value[:200])
    if not found or found[1].lower() not in _MONTHS:
        return None
    zone = _zone(found[7] or found[9] or found[6])
    return _at(int(found[8]), found[1], found[2], int(found[3]), found[4], found[5], zone)


def _iso(value: str) -> datetime | None:
    found = _ISO.search(value[:200])
    if not found:
        return None
    year, month, day, hour, minute = (int(each) for each in found.groups()[:5])
    return datetime(year, month, day, hour, minute, min(int(found[6] or 0), 59), tzinfo=_zone(found[7]))


def _at(
    year: int, month: str, day: str, hour: int, minute: str | None, second: str | None, zone: timezone
) -> datetime:
    # RFC 5322 3.3: a leap second is the 60th
    seconds = min(int(second or 0), 59)
    return datetime(year, _MONTHS[month.lower()], int(day), hour, int(minute or 0), seconds, tzinfo=zone)


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 2:  # RFC 5322 4.3
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _zone(text: str | None) -> timezone:
    if not text:
        return UTC
    if text[0] in "+-":
        digits = text[1:].replace(":", "")
        minutes = min(int(digits[:2]) * 60 + int(digits[2:]), 23 * 60 + 59)
        return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))
    return timezone(timedelta(hours=_ZONES.get(text.lower(), 0)))
