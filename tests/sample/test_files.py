"""Attached files open: their magic, their checksums, their tables of contents."""

from __future__ import annotations

import csv
import re
import struct
import zlib
from datetime import UTC, datetime
from io import BytesIO, StringIO
from zipfile import ZipFile

import pytest

from postroom.sample import files


def test_every_chunk_of_a_png_has_its_checksum_and_the_rows_are_complete():
    data = files.make("picture.png")[1]
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body, (crc,) = data[at + 8 : at + 8 + size], struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        assert crc == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    assert len(zlib.decompress(chunks[b"IDAT"])) == height * (1 + 3 * width)


def test_the_segments_of_a_jpeg_lead_to_its_scan_and_its_end():
    data = files.make("picture.jpg")[1]
    assert data.startswith(b"\xff\xd8\xff\xe0")
    at, marks = 2, []
    while not marks or marks[-1] != 0xDA:
        assert data[at] == 0xFF
        marks.append(data[at + 1])
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    assert marks == [0xE0, 0xDB, 0xC0, 0xC4, 0xC4, 0xDA]
    # ITU T.81 B.1.1.5: inside the scan, FF is followed by 00; FF D9 ends it.
    assert re.findall(rb"\xff[^\0]", data[at:]) == [b"\xff\xd9"]
    assert data.endswith(b"\xff\xd9")


def test_the_table_of_a_pdf_points_at_its_objects():
    data = files.make("Floor plan (old).pdf")[1]
    start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert data[start:].startswith(b"xref\n0 6\n")
    offsets = [int(line[:10]) for line in data[start:].split(b"\n")[3:8]]
    assert [data[at:].split(b" ", 1)[0] for at in offsets] == [b"1", b"2", b"3", b"4", b"5"]
    assert rb"(Floor plan \(old\)) Tj" in data
    content = re.search(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", data, re.DOTALL)
    assert content is not None
    assert int(content[1]) == len(content[2])


def test_a_zip_passes_its_own_test_and_a_csv_has_rows():
    with ZipFile(BytesIO(files.make("folder.zip")[1])) as folder:
        assert folder.testzip() is None
        assert "quantities.csv" in folder.namelist()
    rows = list(csv.reader(StringIO(files.make("table.csv")[1].decode()), delimiter=";"))
    assert {len(row) for row in rows} == {4}
    assert len(rows) == 25


def test_a_tnef_file_begins_with_its_signature():
    assert files.make("winmail.dat")[1].startswith(struct.pack("<I", 0x223E9F78))


def test_an_invitation_opens_and_closes_what_it_opens():
    at = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
    lines = files.calendar("u@x.test", "Review", "Long table, left", at, "a@x.test", "b@x.test").split("\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]
    assert "DTSTART:20260504T093000Z" in lines
    assert "LOCATION:Long table\\, left" in lines


@pytest.mark.parametrize("name", ["a.pdf", "a.png", "a.jpg", "a.csv", "a.zip", "winmail.dat", "a.txt"])
def test_a_file_is_decided_by_its_name(name: str):
    assert files.make(name) == files.make(name)
    assert files.make(name)[1] != b""
