"""P5: messages parsed a second, against other parsers on the same mail, in turn.

The others give less than Postroom does: none says where a part lies, hashes attachments, makes a preview, or says
what is wrong with the message.
"""

from __future__ import annotations

import email
import email.policy
import statistics
import time
from collections.abc import Callable

import fast_mail_parser

from postroom.mime.parse import parse
from postroom.sample import generate

ROUNDS = 5


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


def main() -> None:
    letters = [each.raw for each in generate(1000, 1)]
    readers = {
        "postroom": parse,
        "policy.default": _with(email.policy.default),
        "compat32": _with(email.policy.compat32),
        "fast-mail-parser": fast_mail_parser.parse_email,
    }
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(ROUNDS):
        for name, read in readers.items():
            rates[name].append(_rate(read, letters))
    ours = statistics.median(rates["postroom"])
    for name, found in rates.items():
        middle = statistics.median(found)
        print(f"P5 {name:16} {middle:8.0f} messages a CPU second   postroom is {ours / middle:.1f} times")


if __name__ == "__main__":
    main()
