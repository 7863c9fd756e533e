"""What machines write above a letter: Message-IDs, the Received chain, signatures, the fields of a list."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from random import Random

from postroom.sample import mail
from postroom.sample.people import ME, Person

LIST_ADDRESS = "rowers@tidewater.test"
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def message_id(rng: Random, domain: str, at: datetime) -> str:
    """RFC 5322 3.6.4, without the angle brackets."""
    unique = "".join(rng.choice(_ALPHABET) for _ in range(8))
    return f"{at.astimezone(UTC):%Y%m%d%H%M%S}.{unique}@{domain}"


def transport(rng: Random, speaker: Person, at: datetime, list_name: str = "") -> list[tuple[str, str]]:
    """The lines of the way a message came: none on what Alex sent."""
    if speaker.key == ME.key and not list_name:
        return []
    domain = "tidewater.test" if list_name else speaker.domain
    return came_from(rng, domain, speaker.address, at)


def came_from(rng: Random, domain: str, sender: str, at: datetime) -> list[tuple[str, str]]:
    """Return-Path, two Received lines (newest first), our server's verdict and the sender's signature."""
    first, second = at + timedelta(seconds=rng.randrange(1, 4)), at + timedelta(seconds=rng.randrange(4, 40))
    host, queue = f"out{rng.randrange(1, 4)}.{domain}", f"{rng.getrandbits(40):010X}"
    address = f"192.0.2.{rng.randrange(1, 255)}"
    verdict = f"mx.postroom.example; dkim=pass header.d={domain};\n spf=pass smtp.mailfrom={sender}"
    return [
        ("Return-Path", f"<{sender}>"),
        (
            "Received",
            f"from {host} ({host} [{address}])\n\tby mx.postroom.example with ESMTPS id {queue}"
            f"\n\tfor <{ME.address}>; {mail.date(second.astimezone(UTC))}",
        ),
        (
            "Received",
            f"from desk.{domain} (desk.{domain} [198.51.100.{rng.randrange(1, 255)}])"
            f"\n\tby {host} with ESMTPSA; {mail.date(first.astimezone(UTC))}",
        ),
        ("Authentication-Results", verdict),
        ("DKIM-Signature", _dkim(rng, domain)),
    ]


def _dkim(rng: Random, domain: str) -> str:
    """RFC 6376 3.5, with a signature that is only noise."""
    noise = base64.b64encode(rng.randbytes(96)).decode("ascii")
    body_hash = base64.b64encode(rng.randbytes(32)).decode("ascii")
    folded = "\n  ".join(noise[at : at + 64] for at in range(0, len(noise), 64))
    return (
        f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s2024;\n"
        f" h=from:to:subject:date:message-id; bh={body_hash};\n b={folded}"
    )


def list_headers() -> list[tuple[str, str]]:
    """RFC 2919 and RFC 2369, as the club's list writes them."""
    return [
        ("Sender", "rowers-bounces@tidewater.test"),
        ("Reply-To", LIST_ADDRESS),
        ("List-Id", "Tidewater Rowing Club <rowers.tidewater.test>"),
        ("List-Post", f"<mailto:{LIST_ADDRESS}>"),
        ("List-Unsubscribe", "<mailto:rowers-leave@tidewater.test>"),
        ("Precedence", "list"),
    ]
