"""Masks: a conversation in IMAP without anything that people wrote, in which the same thing still looks the same.

Only what is known to be of the protocol is kept. Of everything else the shape remains, or a name made of it with a key
that nobody keeps.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable

from postroom.wire.folders import folder_type

_LEVELS = re.compile(r"([/.]+)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DATE = re.compile(r"[ \d]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}\Z")
_STATUS = re.compile(r"(\* |\S+ )(OK|NO|BAD|BYE|PREAUTH)\b( \[[^\]]*\])?(.*)\Z", re.IGNORECASE | re.DOTALL)
_LISTED = re.compile(r'(\* (?:LIST|LSUB) \([^()]*\) (?:"\\?."|NIL) )(.*)\Z', re.IGNORECASE)
_COUNTED = re.compile(r"(\* STATUS )(.*?)( \([^()]*(?:\([^()]*\)[^()]*)?\))\Z", re.IGNORECASE)
_PLAIN = re.compile(
    r"\* (?:\d+ (?:EXISTS|RECENT|EXPUNGE)|CAPABILITY [\x21-\x7e ]*|ENABLED[ \w=-]*|SEARCH[ \d]*"
    r"|ESEARCH [\w\d(): ,\"]*|VANISHED (?:\(EARLIER\) )?[\d,:]+)\Z",
    re.IGNORECASE,
)
_FLAGS = re.compile(r"(FLAGS \(|PERMANENTFLAGS \()([^()]*)\)", re.IGNORECASE)
_ITEM = (
    r"(?:UID \d+|FLAGS \([^()]*\)|MODSEQ \(\d+\)|RFC822\.SIZE \d+|INTERNALDATE \"[^\"]*\"|X-GM-(?:MSGID|THRID) \d+"
    r"|(?:EMAILID|THREADID) \([\w-]*\)|BODY\[(?:HEADER\.FIELDS \([\w -]*\)|HEADER|TEXT)?\](?:<\d+>)? (?:\{\d+\}|NIL))"
)
_FETCHED = re.compile(rf"\* \d+ FETCH \({_ITEM}?(?: {_ITEM})*\)?\Z", re.IGNORECASE)
_GOES_ON = re.compile(rf"(?: ?{_ITEM})*\)?\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:]+@[^\s<>()\[\]\",;:]+")
_ABOUT = ("name", "vendor", "version", "os")


class Mask:
    """One for a recording: `key` is forgotten with it, so that no name can be guessed and tried."""

    def __init__(self, key: bytes, secrets: Iterable[str]) -> None:
        self._key = key
        self._secrets: dict[str, str] = {each: "masked" for each in secrets if len(each) > 2}
        """What is replaced in texts for people, by what."""

    def marker(self) -> hmac.HMAC:
        """To be fed with bytes that come one after the other."""
        return hmac.new(self._key, digestmod="sha256")

    def mark(self, data: bytes) -> str:
        """The same for the same bytes."""
        return hmac.digest(self._key, data, "sha256").hex()[:16]

    def name(self, name: str) -> str:
        """A folder's name: levels and delimiters stay, and what all mail programs call alike."""
        if folder_type(name.replace(".", "/")) != "custom":
            return name
        parts = _LEVELS.split(name)
        masked = "".join(part if at % 2 or not part else self._level(part) for at, part in enumerate(parts))
        if masked != name and len(name) > 2:
            self._secrets[name] = masked
        return masked

    def _level(self, level: str) -> str:
        if level.upper() in ("INBOX", "[GMAIL]", "[GOOGLE MAIL]"):
            return level
        return f"n{self.mark(level.encode('latin-1', 'replace'))[:10]}"

    def client(self, line: str) -> str:
        """A command without its tag. Of a sign-in only the mechanism is kept."""
        verb, _, rest = line.partition(" ")
        if verb.upper() == "AUTHENTICATE":
            return f"{verb} {rest.split(' ')[0]}"
        if verb.upper() in ("LOGIN", "ID"):
            return verb
        return _QUOTED.sub(lambda match: f'"{self._value(match[1])}"', line)

    def server(self, line: str, *, goes_on: bool) -> str:
        """A line of the server's without its end; `goes_on`: it comes behind a literal."""
        if goes_on:
            return self._flags(line) if _GOES_ON.match(line) else shape(line)
        if (match := _LISTED.match(line)) is not None:
            return match[1] + self.wire_name(match[2])
        if (match := _COUNTED.match(line)) is not None:
            return match[1] + self.wire_name(match[2]) + match[3]
        if line.upper().startswith("* ID "):
            return "* ID " + self._about(line[5:])
        if line.upper().startswith("* NAMESPACE "):
            return _QUOTED.sub(lambda match: f'"{self._value(match[1])}"', line)
        if _PLAIN.match(line):
            return line
        if _FETCHED.match(line) or line.upper().startswith("* FLAGS ("):
            return self._flags(line)
        if (match := _STATUS.match(line)) is not None:
            code = self._flags(match[3] or "")
            return f"{match[1]}{match[2]}{code}{self._text(match[4])}"
        return "+ " if line.startswith("+") else shape(line)

    def wire_name(self, spelled: str) -> str:
        """A name as LIST and STATUS spell it: an atom, a string, or a literal, of which nothing is here yet."""
        if spelled.startswith("{"):
            return spelled
        match = _QUOTED.fullmatch(spelled)
        return f'"{self._value(match[1] if match else spelled)}"'

    def _value(self, quoted: str) -> str:
        if len(quoted) <= 1 or quoted == "\\\\" or _DATE.match(quoted):
            return quoted
        return self.name(re.sub(r"\\(.)", r"\1", quoted))

    def _flags(self, line: str) -> str:
        return _FLAGS.sub(lambda match: match[1] + " ".join(map(self._word, match[2].split())) + ")", line)

    def _word(self, word: str) -> str:
        return (
            word if word.startswith(("\\", "$")) else f"k{self.mark(word.encode('latin-1', 'replace'))[:6]}"
        )

    def _about(self, pairs: str) -> str:
        words = _QUOTED.findall(pairs)
        kept = [
            (name, value)
            for name, value in zip(words[::2], words[1::2], strict=False)
            if name.lower() in _ABOUT
        ]
        return "(" + " ".join(f'"{name}" "{value}"' for name, value in kept) + ")" if kept else "NIL"

    def _text(self, text: str) -> str:
        """What a server says to people; whom it names is left out."""
        for each in sorted(self._secrets, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(each)}(?!\w)", self._secrets[each], text, flags=re.IGNORECASE)
        return _ADDRESS.sub("masked@masked.invalid", text)


def shape(line: str) -> str:
    """What is left of a line that is not of the protocol."""
    return re.sub(r"\d", "0", re.sub(r"[^\W\d_]", "x", line))
