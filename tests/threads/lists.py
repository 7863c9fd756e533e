"""Mailboxes as mailing lists leave them, from a seed: missing questions, broken headers, odd subjects."""

from __future__ import annotations

from email.header import Header
from random import Random

from tests.threads.letters import letter

TOPICS = ("Release 2.0", "Fehler in der Übersicht", "lunch", "日本語の件名", "[bug 17]", "build  failed", "")
PREFIXES = (
    "Re: ",
    "RE: ",
    "re[2]: ",
    "Fwd: ",
    "FW: ",
    "[dev] Re: ",
    "Re: [dev] ",
    "[dev] ",
    "Re:",
    "Re: Re: ",
    "",
)
JUNK = ("your message of Monday", "<>", "<no-at-sign>", "<unclosed@example.org", "garbage > < more")


class MailingList:
    """Writes messages that answer one another."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.written: list[tuple[str, list[str], str]] = []
        """Id, references and subject of all that was written, received by us or not."""

    def messages(self, count: int) -> list[bytes]:
        """Messages in the order of arrival; about a sixth of those written never came."""
        arriving = [self._write(number) for number in range(count * 6 // 5)]
        kept = self.random.sample(arriving, count)
        if self.random.random() < 0.5:  # or else they come in any order
            kept.sort(key=arriving.index)
        return kept

    def _write(self, number: int) -> bytes:
        random = self.random
        if self.written and random.random() < 0.75:
            parent, above, subject = random.choice(self.written[-12:])
            references = [*above, parent]
            subject = self._answered(subject)
        else:
            references, subject = [], random.choice(TOPICS)
        own = f"{number}.{random.randrange(100)}@example.org"
        if self.written and random.random() < 0.05:
            own = random.choice(self.written)[0]
        self.written.append((own, references, subject))
        seconds = number * 60 - random.choice((0, 0, 0, 60, 4000)) + 5000
        return letter(
            self._spelled(own) if random.random() < 0.97 else random.choice((None, *JUNK)),
            **self._parents(references),
            subject=self._encoded(subject) if subject or random.random() < 0.5 else None,
            seconds=seconds if random.random() < 0.95 else None,
        )

    def _answered(self, subject: str) -> str:
        random = self.random
        chance = random.random()
        if chance < 0.1:
            return random.choice(TOPICS)
        if chance < 0.15:
            return f"[Fwd: {subject}]"
        if chance < 0.2:
            return f"{subject} (fwd)"
        return subject if subject.startswith("Re: ") else random.choice(PREFIXES) + subject

    def _parents(self, references: list[str]) -> dict[str, str | None]:
        random = self.random
        if not references:
            return {"references": random.choice((None, None, None, *JUNK))}
        shape = random.random()
        spelled = [self._spelled(each) for each in references]
        if shape < 0.25:
            return {"in_reply_to": " ".join([random.choice(("", *JUNK[:3])), spelled[-1]]).strip()}
        if shape < 0.35:
            return {"references": random.choice(JUNK[:3]), "in_reply_to": spelled[-1]}
        return {
            "references": "\r\n ".join(self._damaged(spelled)),
            "in_reply_to": random.choice((None, spelled[0])),
        }

    def _damaged(self, references: list[str]) -> list[str]:
        random = self.random
        shape = random.random()
        if shape < 0.15:
            return [references[0], *references[-2:]]
        if shape < 0.2:
            return references[::-1]
        if shape < 0.25:
            return [*references, random.choice(JUNK[:3]), *references[:2]]
        if shape < 0.3:
            return [*references, *(self._spelled(each[0]) for each in random.sample(self.written, 1))]
        return references

    def _spelled(self, message_id: str) -> str:
        local, _, domain = message_id.partition("@")
        return f'<"{local}"@{domain}>' if self.random.random() < 0.1 else f"<{message_id}>"

    def _encoded(self, subject: str) -> str:
        return (
            subject if subject.isascii() else Header(subject, "utf-8", maxlinelen=60).encode(linesep="\r\n")
        )


def tangle(seed: int, count: int = 12) -> list[bytes]:
    """Messages that refer to a handful of ids at random: loops, contradictions, repeated ids, equal dates."""
    random = Random(seed)
    ids = [f"<{name}@example.org>" for name in "abcdefgh"[: random.randint(2, 8)]]
    subjects = random.choices(
        ("", "x", "Re: x", "y", "Fwd: y", "[list] x", "X (fwd)", "[list]", "Re: [list]"), k=5
    )
    return [
        letter(
            random.choice((*ids, None)),
            references=" ".join(random.choices(ids, k=random.randint(0, 4))) or None,
            subject=random.choice(subjects),
            seconds=random.randint(0, 5),
        )
        for _ in range(count)
    ]


def subject_soup(seed: int, count: int = 25) -> list[bytes]:
    """Messages without references whose subjects are put together from what RFC 5256 2.1 looks for."""
    random = Random(seed)
    pieces = (
        "Re",
        "FW",
        "fwd",
        ":",
        ": ",
        "[",
        "]",
        "[l]",
        "[l] ",
        " ",
        "  ",
        "\t",
        "(fwd)",
        "[fwd:",
        "Re: ",
        "x",
        "X",
    )
    foreign = ("ä", "Ä", "a\u0308", "ß", "SS", "：", "\u00a0", "ﬁ", "FI", "ǆ", "Ǆ", "日本")
    choices = pieces + foreign if random.random() < 0.5 else pieces
    drafts = ["".join(random.choices(choices, k=random.randint(1, 7))) for _ in range(count)]
    return [
        letter(
            f"<{number}@example.org>", subject=Header(draft, "utf-8").encode(linesep="\r\n"), seconds=number
        )
        for number, draft in enumerate(drafts)
    ]
