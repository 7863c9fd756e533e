"""A slice of a file answers exactly as the bytes would, and never hangs or lies."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.errors import SourceError
from postroom.wire import files
from postroom.wire.files import FileSlice, OpenFile, pieces, shown

CONTENT = b"ab\nFrom a\nab\0" * 40
BOUNDS = st.none() | st.integers(-600, 600)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(b"before" + CONTENT + b"after")
    return path


@given(
    sub=st.sampled_from([b"", b"a", b"From ", b"ab\0ab", b"zz", CONTENT]),
    start=st.integers(-600, 600),
    end=BOUNDS,
)
def test_find_answers_as_bytes_do(path: Path, sub: bytes, start: int, end: int | None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_WINDOW_BYTES", 16)
        part = FileSlice(OpenFile(path), 6, 6 + len(CONTENT))
        assert part.find(sub, start, end) == CONTENT.find(sub, start, end)


@given(start=BOUNDS, end=BOUNDS)
def test_slices_are_those_of_bytes(path: Path, start: int | None, end: int | None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_WINDOW_BYTES", 16)
        part = FileSlice(OpenFile(path), 6, 6 + len(CONTENT))
        assert part[start:end] == CONTENT[start:end]
        assert b"".join(pieces(part)) == CONTENT
        assert len(part) == len(CONTENT)


def test_only_whole_slices_are_given(path: Path):
    with pytest.raises(ValueError, match="step"):
        FileSlice(OpenFile(path), 0, 5)[::2]


def test_a_file_that_shrinks_meanwhile_is_an_error_and_not_a_short_message(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    part = FileSlice(OpenFile(path), 0, 100)
    path.write_bytes(bytes(50))
    with pytest.raises(SourceError, match="became shorter"):
        part[:]


def test_a_file_is_open_as_long_as_a_slice_of_it_lives(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    before = len(os.listdir("/proc/self/fd"))
    part = FileSlice(OpenFile(path), 0, 7)
    path.unlink()
    gc.collect()
    assert part[:] == b"content"
    del part
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_no_file_is_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    for path, words in (
        (tmp_path, "folder"),
        (tmp_path / "fifo", "named pipe"),
        (Path("/dev/null"), "device"),
    ):
        with pytest.raises(OSError, match=words):
            OpenFile(path)


def test_a_path_is_shown_without_what_a_terminal_or_a_database_cannot_take():
    assert shown(os.fsdecode(b"caf\xe9\x1b[31m")) == "caf\ufffd\ufffd[31m"
    assert shown("Büro\u00a01") == "Büro\u00a01"
