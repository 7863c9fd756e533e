"""Messages for tests: built from lines, with the line ends of the wire, and bodies that are no bytes."""

from __future__ import annotations

from dataclasses import dataclass, field


def mail(*lines: str | bytes, eol: bytes = b"\r\n") -> bytes:
    """The lines as a message."""
    return b"".join((line.encode() if isinstance(line, str) else line) + eol for line in lines)


def with_body(body: bytes, *header: str) -> bytes:
    """A message with these header lines and this body, as it is."""
    return mail("From: a@example.com", *header, "") + body


def multipart(subtype: str, *parts: bytes, boundary: str = "edge", header: tuple[str, ...] = ()) -> bytes:
    """A multipart of parts that bring their own header."""
    pieces = [mail(*header, f'Content-Type: multipart/{subtype}; boundary="{boundary}"', "")]
    pieces += [mail(f"--{boundary}") + part + b"\r\n" for part in parts]
    return b"".join([*pieces, mail(f"--{boundary}--")])


def part(content_type: str, body: str | bytes, *header: str) -> bytes:
    """One part of a multipart."""
    data = body.encode() if isinstance(body, str) else body
    return mail(f"Content-Type: {content_type}", *header, "") + data


@dataclass(slots=True)
class Window:
    """A body that can only be looked at in slices, and remembers the largest it was asked for."""

    data: bytes
    largest_slice: int = 0
    slices: int = field(default=0)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: slice, /) -> bytes:
        assert index.step is None
        piece = self.data[index]
        self.largest_slice = max(self.largest_slice, len(piece))
        self.slices += 1
        return piece

    def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
        return self.data.find(sub, start, len(self.data) if end is None else end)
