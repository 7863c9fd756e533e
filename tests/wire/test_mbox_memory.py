"""A large mbox streams: what it takes to read it does not grow with it."""

from __future__ import annotations

from pathlib import Path

from tests.support.memory import peak_megabytes

READ = """
    import hashlib, sys
    from pathlib import Path
    from postroom.wire.files import pieces
    from postroom.wire.mbox import MboxSource

    source = MboxSource(Path(sys.argv[1]))
    sizes = []
    for message in source.messages(source.folders()[0]):
        digest = hashlib.sha256()
        for piece in pieces(message.body):
            digest.update(piece)
        sizes.append(len(message.body))
    assert (len(sizes), max(sizes)) == (int(sys.argv[2]), int(sys.argv[3])), sizes
"""
LARGE_BYTES = 200 << 20


def test_hundreds_of_megabytes_with_one_message_of_200_take_little_memory(tmp_path: Path):
    path = tmp_path / "large.mbox"
    small = b"From a@b.c Thu Jan  4 10:00:00 2024\nSubject: small\n\n" + b"0123456789abcde\n" * 4096 + b"\n"
    header = b"From a@b.c Thu Jan  4 10:00:00 2024\nSubject: large\n\n"
    with path.open("wb") as file:
        file.write(small * 1500 + header)
        file.truncate(file.tell() + LARGE_BYTES)  # a hole: no disk is written
        file.seek(0, 2)
        file.write(b"\n\n" + small * 100)
    large = len(header.partition(b"\n")[2]) + LARGE_BYTES + 1
    assert peak_megabytes(READ, str(path), "1601", str(large)) < 150


def test_a_large_quoted_message_is_unquoted_on_disk(tmp_path: Path):
    path = tmp_path / "quoted.mbox"
    text = b"0123456789abcde\n" * 4096
    path.write_bytes(
        b"From a@b.c Thu Jan  4 10:00:00 2024\nSubject: large\n\n" + (text + b">From here\n") * 800 + b"\n"
    )
    large = 16 + (len(text) + 10) * 800
    assert peak_megabytes(READ, str(path), "1", str(large)) < 80
