"""Defects: what can be wrong with a message, each under a short stable name with its sentence."""

from __future__ import annotations

SENTENCES = {
    "base64-broken": "a part says that it is base64 and is not; it is taken as it is",
    "boundary-guessed": "a multipart has another boundary than it announces; it was read off its first part",
    "boundary-missing": "the boundary of a multipart does not occur; all of it is taken as text",
    "boundary-unclosed": "the last delimiter of a multipart is missing",
    "charset-missing": "a text has bytes above 127 and no charset; the charset was guessed",
    "charset-unknown": "a text names a charset that nobody knows; the charset was guessed",
    "charset-wrong": "a text is not in the charset it names; another was guessed",
    "content-type-invalid": "a Content-Type is not a type and a subtype",
    "date-invalid": "Date is not a date",
    "date-missing": "there is no Date",
    "encoding-unknown": "a Content-Transfer-Encoding is not known; the part is taken as it is",
    "header-garbage": "lines of a header are not fields",
    "header-missing": "there is no header; all is text",
    "header-too-long": "a header was longer than 1 MB or than 2,000 fields; the rest of it was not read",
    "message-id-missing": "there is no Message-ID that can be used",
    "nul": "a text holds NUL, which stands as U+FFFD",
    "parts-after-end": "a multipart goes on behind its last delimiter",
    "references-too-long": "References was longer than 64 KB; ids from its middle were left out",
    "text-too-long": "a text longer than 4 MB is kept as an attachment",
    "too-deep": "parts lie deeper than can be followed; the innermost is kept as one attachment",
    "too-many-parts": "there are more than 10,000 parts; the rest is kept as one attachment",
    "uuencoded-text": "a file is written into the text with uuencode and is left there",
}


class Defects:
    """What was found wrong so far: each name once, with the first detail."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def add(self, name: str, detail: str = "") -> None:
        """Note a defect of the table above."""
        self._found.setdefault(name, detail[:200] or SENTENCES[name])

    def sentences(self) -> tuple[str, ...]:
        """`name: detail`, in the order in which they were met."""
        return tuple(f"{name}: {detail}" for name, detail in self._found.items())
