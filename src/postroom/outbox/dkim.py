"""DKIM: a signature over what goes out, for a domain of one's own (RFC 6376). Needs the extra `dkim`."""

from __future__ import annotations

from dataclasses import dataclass, field

from postroom.errors import UsageError

# RFC 6376 5.4.1. Named twice, a field cannot be added behind the signature's back (8.15).
_SIGNED = (
    "from reply-to subject date to cc message-id in-reply-to references mime-version content-type".split()
)
_TWICE = ("from", "subject", "date", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs for a domain with the private key whose public half the DNS has under the selector."""

    domain: str
    selector: str
    key: str = field(repr=False)
    """PEM."""

    def signed(self, raw: bytes) -> bytes:
        """The message with its signature in front. Raises UsageError when that cannot be."""
        try:
            import dkim
        except ImportError as error:
            reason = "Signing needs dkimpy, which is not installed: pip install 'postroom[dkim]'."
            raise UsageError(reason=reason) from error
        present = {
            line.partition(b":")[0].strip().lower() for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
        }
        fields = [name.encode() for name in _SIGNED if name.encode() in present]
        fields += [name.encode() for name in _TWICE if name.encode() in present]
        try:
            signature = dkim.sign(
                raw,
                self.selector.encode("idna"),
                self.domain.encode("idna"),
                self.key.encode(),
                canonicalize=(b"relaxed", b"relaxed"),
                include_headers=fields,
            )
        except (dkim.DKIMException, UnicodeError, ValueError) as error:
            reason = f"The key for {self.selector}._domainkey.{self.domain} does not sign: {error}."
            raise UsageError(reason=reason) from error
        return signature + raw
