"""P5: messages parsed a second, against other parsers on the same mail, in turn.

The others give less than Postroom does: none says where a part lies, hashes attachments, makes a preview, or says
what is wrong with the message.
"""

from __future__ import annotations

import email
import email.policy
import time
from collections.abc import Callable
from functools import partial

import fast_mail_parser

from benchmarks.measure import Line, alternated, median
from postroom.mime.parse import parse
from postroom.sample import generate


def _with(policy: object) -> Callable[[bytes], object]:
    def read(raw: bytes) -> object:
        message = email.message_from_bytes(raw, policy=policy)  # type: ignore[arg-type]
        headers = [(name, str(value)) for name, value in message.items()]
        return headers, [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]

    return read


def _rate(read: Callable[[bytes], object], letters: list[bytes]) -> float:
    began = time.process_time()
    for raw in letters:
        try:
            read(raw)
        except Exception:
            continue
    return len(letters) / (time.process_time() - began)


def parsed(rounds: int) -> list[Line]:
    """P5."""
    letters = [each.raw for each in generate(1000, 1)]
    readers: dict[str, Callable[[bytes], object]] = {
        "postroom": parse,
        "policy.default": _with(email.policy.default),
        "compat32": _with(email.policy.compat32),
        "fast-mail-parser": fast_mail_parser.parse_email,
    }
    rates = alternated(rounds, **{name: partial(_rate, read, letters) for name, read in readers.items()})
    mine = median(rates.pop("postroom"))
    goals = {"policy.default": 8.0}
    return [
        Line(
            "P5",
            f"messages parsed in a CPU second, against {name}",
            f"{mine:,.0f}",
            f"{median(found):,.0f}",
            f"{mine / median(found):.1f}",
            f"≥ {goals[name]:g}" if name in goals else "",
            mine / median(found) >= goals[name] if name in goals else None,
        )
        for name, found in rates.items()
    ]


if __name__ == "__main__":
    for line in parsed(5):
        print(line)
