"""Verdict: what follows from what the server said, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from postroom.store.sends import Answer, SendState
from postroom.wire.smtp import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state that follows for the whole message and for each recipient."""

    state: SendState
    """`pending`: to be tried again later."""
    answers: Sequence[Answer]
    error: str | None = None


def before_data(replies: Mapping[str, Reply]) -> list[Answer]:
    """Those who will not get it this time: refused for good, or waiting for the next."""
    return [_answer(address, reply) for address, reply in replies.items() if not reply.is_ok]


def of_sender(mail: Reply, recipients: Iterable[str]) -> Verdict:
    """MAIL FROM was refused, and so everybody."""
    return whole(mail, recipients, others=[])


def whole(reply: Reply, recipients: Iterable[str], *, others: Sequence[Answer]) -> Verdict:
    """One reply for all recipients that were left; `others` were answered before."""
    if reply.is_ok:
        accepted = [
            Answer(address=each, state="accepted", code=reply.code, reply=reply.text) for each in recipients
        ]
        return _summed([*others, *accepted])
    return _summed([*others, *(_answer(each, reply) for each in recipients)], said=str(reply))


def of_recipients(answers: Sequence[Answer]) -> Verdict:
    """Nobody was accepted: there was no message to send."""
    return _summed(answers)


def _answer(address: str, reply: Reply) -> Answer:
    state = "refused" if reply.is_final else "waiting"
    return Answer(address=address, state=state, code=reply.code, reply=reply.text)


def _summed(answers: Sequence[Answer], *, said: str | None = None) -> Verdict:
    states = {each.state for each in answers}
    state: SendState = "pending" if "waiting" in states else "done" if "accepted" in states else "failed"
    troubles = [f"{each.address}: {each.code} {each.reply}" for each in answers if each.state != "accepted"]
    return Verdict(state=state, answers=answers, error=said or "; ".join(troubles) or None)
