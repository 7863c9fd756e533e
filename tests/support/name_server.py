"""A DNS server on a free UDP port of 127.0.0.1 that answers from a zone given as text, and a small web server beside it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.zone


@contextmanager
def running_name_server(zone: str, *, silent: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Gives `address:port` and the names asked for. `silent`: it hears and never answers."""
    known = dns.zone.from_text(zone, origin=".", relativize=False, check_origin=False)
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                raw, client = listener.recvfrom(4096)
                if raw == b"end":
                    return
                question = dns.message.from_wire(raw)
                name, kind = question.question[0].name, question.question[0].rdtype
                asked.append(f"{name} {dns.rdatatype.to_text(kind)}")
                answer = dns.message.make_response(question)
                answer.flags |= dns.flags.RA
                found = known.get_rrset(name, kind)
                if found:
                    answer.answer.append(found)
                elif known.get_node(name) is None:
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                if not silent:
                    listener.sendto(answer.to_wire(), client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", asked
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
                ender.sendto(b"end", listener.getsockname())
            thread.join(5)


@contextmanager
def running_pages(pages: Mapping[str, bytes | tuple[int, str]]) -> Iterator[tuple[str, list[str]]]:
    """Gives the base URL and the paths asked for. A page is its bytes, or a status and where it leads."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            page = pages.get(self.path.partition("?")[0], (404, ""))
            status, location = page if isinstance(page, tuple) else (200, "")
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            if isinstance(page, bytes):
                self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
