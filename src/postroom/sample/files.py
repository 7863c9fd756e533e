"""Attached files: small, valid, and the same bytes whenever the name and the content are the same."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from random import Random
from zipfile import ZIP_STORED, ZipFile, ZipInfo

MIME_TYPES = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "csv": "text/csv; charset=utf-8",
    "zip": "application/zip",
    "dat": "application/ms-tnef",
    "txt": "text/plain; charset=utf-8",
}


def make(filename: str) -> tuple[str, bytes]:
    """The MIME type and the bytes of a file, both decided by its name: a forwarded file is the same file."""
    stem, _, extension = filename.rpartition(".")
    makers = {"png": png, "jpg": jpeg, "csv": table, "zip": archive, "dat": tnef}
    if extension in makers:
        return MIME_TYPES[extension], makers[extension](Random(filename))
    if extension == "pdf":
        return MIME_TYPES["pdf"], pdf(stem, ["Northpier Studio", f"Document: {stem}", "Pages: 1"])
    return MIME_TYPES["txt"], f"{stem}\n".encode()


def pdf(title: str, lines: Sequence[str]) -> bytes:
    """One A4 page of text (ISO 32000-1): catalog, pages, page, content, font, then where each of them is."""
    shown = "".join(f"({_escaped(line)}) Tj T*\n" for line in [title, "", *lines])
    content = f"BT /F1 11 Tf 14 TL 60 780 Td\n{shown}ET".encode("cp1252", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    return bytes(out + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _scene(rng: Random, width: int, height: int) -> Iterator[list[tuple[int, int, int]]]:
    """Rows of colour: a sky that brightens to a horizon, and water below it."""
    sky = (rng.randrange(90, 200), rng.randrange(120, 190), rng.randrange(150, 200))
    sea = (rng.randrange(10, 50), rng.randrange(40, 90), rng.randrange(70, 140))
    horizon, sun = rng.randrange(height // 3, 2 * height // 3), rng.randrange(width)
    for y in range(height):
        base, lift = (sky, 55 * y // horizon) if y < horizon else (sea, 40 * (height - y) // height)
        row = []
        for x in range(width):
            glow = max(0, 60 - 6 * (abs(x - sun) + abs(y - horizon)))
            row.append((min(255, base[0] + lift + glow), min(255, base[1] + lift + glow), base[2] + lift))
        yield row


def png(rng: Random, width: int = 64, height: int = 40) -> bytes:
    """A picture in true colour, its rows stored and not squeezed: every zlib gives the same bytes."""
    rows = b"".join(
        b"\0" + bytes(value for pixel in row for value in pixel) for row in _scene(rng, width, height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", _stored(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _stored(data: bytes) -> bytes:
    """RFC 1950 around RFC 1951 3.2.4: one stored block (at most 65,535 bytes)."""
    size = len(data)
    block = b"\x01" + struct.pack("<HH", size, size ^ 0xFFFF) + data
    return b"\x78\x01" + block + struct.pack(">I", zlib.adler32(data))


def jpeg(rng: Random, columns: int = 64, rows: int = 48) -> bytes:
    """A baseline JPEG (ITU T.81) of flat 8 by 8 blocks: only the mean of each block is coded."""
    frame = struct.pack(">BHHB", 8, rows * 8, columns * 8, 3) + b"\x01\x11\0\x02\x11\0\x03\x11\0"
    mean_codes = bytes([0, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]) + bytes(range(12))
    end_of_block = b"\x10\x01" + bytes(15) + b"\0"
    segments = (
        (0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        (0xDB, b"\0" + b"\x08" * 64),
        (0xC0, frame),
        (0xC4, mean_codes),
        (0xC4, end_of_block),
        (0xDA, b"\x03\x01\0\x02\0\x03\0\0\x3f\0"),
    )
    heads = b"".join(struct.pack(">BBH", 0xFF, mark, len(data) + 2) + data for mark, data in segments)
    return b"\xff\xd8" + heads + _scan(_scene(rng, columns, rows)) + b"\xff\xd9"


_CATEGORY_CODES = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110", "1111110")


def _scan(scene: Iterator[list[tuple[int, int, int]]]) -> bytes:
    """The entropy-coded blocks: the step from the last mean, then end of block."""
    last, bits = [0, 0, 0], []
    for red, green, blue in (pixel for row in scene for pixel in row):
        luma = (299 * red + 587 * green + 114 * blue) // 1000
        values = (luma - 128, (blue - luma) * 564 // 1000, (red - luma) * 713 // 1000)
        for component, value in enumerate(values):
            bits.append(_step(value - last[component]) + "0")
            last[component] = value
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    return int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")


def _step(difference: int) -> str:
    size = abs(difference).bit_length()
    if not size:
        return _CATEGORY_CODES[0]
    value = difference if difference > 0 else difference + (1 << size) - 1
    return _CATEGORY_CODES[size] + format(value, f"0{size}b")


def table(rng: Random) -> bytes:
    """A CSV of quantities (RFC 4180)."""
    things = ("oak plank", "brass hinge", "anchor bolt", "slate, grey", "cable tray", "lamp, low voltage")
    rows = [
        f'{n};"{rng.choice(things)}";{rng.randrange(2, 90)};{rng.randrange(150, 9900) / 100:.2f}'
        for n in range(1, 25)
    ]
    return ("position;item;quantity;price\r\n" + "\r\n".join(rows) + "\r\n").encode()


def archive(rng: Random) -> bytes:
    """A ZIP with a note, a table and a large picture in raw bytes, all stored, with a fixed date."""
    members = (
        ("read me.txt", b"Working files, not for print.\r\n"),
        ("quantities.csv", table(rng)),
        ("night scene.raw", rng.randbytes(900_000)),
    )
    out = BytesIO()
    with ZipFile(out, "w", ZIP_STORED) as folder:
        for name, data in members:
            entry = ZipInfo(name, date_time=(2025, 6, 1, 12, 0, 0))
            entry.create_system = 3
            folder.writestr(entry, data)
    return out.getvalue()


def tnef(rng: Random) -> bytes:
    """A winmail.dat: the signature and key of MS-OXTNEF 2.1.3, then bytes that nobody reads."""
    return (
        b"\x78\x9f\x3e\x22"
        + rng.randbytes(2)
        + b"\x01\x06\x90\x08\0\x04\0\0\0\0\0\x01\0\x01\0"
        + rng.randbytes(220)
    )


def calendar(uid: str, title: str, place: str, start: datetime, organizer: str, guest: str) -> str:
    """An invitation (RFC 5545, RFC 5546 REQUEST)."""
    end = start + timedelta(minutes=45)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Northpier//Diary 3//EN",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{start - timedelta(days=3):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        f"DTEND:{end:%Y%m%dT%H%M%SZ}",
        f"SUMMARY:{title}",
        f"LOCATION:{place.replace(',', chr(92) + ',')}",
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{guest}",
        "STATUS:CONFIRMED",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "\n".join(lines) + "\n"
