"""The benchmark mailboxes: the same for a seed, of the promised shape, readable."""

from __future__ import annotations

import email
import hashlib
import statistics
from collections import Counter
from itertools import islice

from benchmarks import corpus, words

BULK = list(islice(corpus.mailbox(), 600))


def test_the_same_seed_gives_the_same_bytes():
    whole = hashlib.sha256(b"".join(message.raw for message in corpus.mailbox(60))).hexdigest()
    assert whole == "f5ff8558feacf36588fc3c10f7b7b8f3da16450765d4fc084e1515e808d77731"


def test_the_sizes_are_those_of_a_real_mailbox():
    sizes = [len(message.raw) for message in BULK]
    files = [size for message, size in zip(BULK, sizes, strict=True) if b"filename=" in message.raw]
    assert 6_000 < statistics.median(sizes) < 10_000
    assert 0.13 < len(files) / len(sizes) < 0.23
    assert 100_000 < statistics.median(files) < 300_000


def test_every_message_is_sound():
    for message in BULK[:200]:
        for part in email.message_from_bytes(message.raw).walk():
            assert part.defects == []
            assert part.is_multipart() or part.get_payload(decode=True)


def test_answers_name_messages_that_came_before():
    seen: set[str] = set()
    answers = 0
    for message in map(email.message_from_bytes, (message.raw for message in BULK)):
        if message["In-Reply-To"]:
            answers += 1
            assert message["In-Reply-To"] in seen
            assert message["References"].split()[-1] == message["In-Reply-To"]
        seen.add(message["Message-ID"])
    assert len(seen) == len(BULK)
    assert answers > 150


def test_ten_tenants_share_two_hundred_thousand_messages():
    assert sum(corpus.TENANTS.values()) == 200_000
    assert max(corpus.TENANTS.values()) == 74_000
    small = {name: list(box) for name, box in corpus.tenants(share=0.001).items()}
    assert [len(box) for box in small.values()] == [74, 48, 30, 19, 12, 8, 4, 2, 1, 0]
    assert not any(b"filename=" in message.raw for box in small.values() for message in box)
    assert small["north"][0].raw != small["south"][0].raw


def test_some_words_are_common_and_most_are_rare():
    vocabulary = words.vocabulary()
    assert len(set(vocabulary)) == words.SIZE
    met = Counter(word for line in words.lines()[:20_000] for word in line.strip(".\n").lower().split())
    assert met[vocabulary[0]] > 30 * met[vocabulary[300]] > 0
    assert sum(times == 1 for times in met.values()) > 5_000
