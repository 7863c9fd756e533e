"""A webhook is taken for Postroom's only if it is signed with the secret, now, and as it came."""

from __future__ import annotations

import base64
import hmac

import pytest

from postroom.client import WebhookRefused, verify_webhook

# The example of the Standard Webhooks specification and its reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1614265330
BODY = b'{"test": 2432232314}'
HEADERS = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "Webhook-Timestamp": str(NOW),
    "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 byt").decode()


def test_the_example_of_the_standard_is_taken() -> None:
    assert verify_webhook(HEADERS, BODY, SECRET, now=NOW) == {"test": 2432232314}
    assert verify_webhook(HEADERS, BODY.decode(), SECRET, now=NOW + 299)


def test_one_good_signature_and_one_good_secret_are_enough() -> None:
    """As while a secret is rotated."""
    several = HEADERS | {"Webhook-Signature": f"v1a,AAAA v1,AAAA {HEADERS['Webhook-Signature']} v1,!"}
    assert verify_webhook(several, BODY, [OTHER, SECRET], now=NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"Webhook-Id": "msg_other"},
        {"Webhook-Timestamp": str(NOW + 1)},
        {"Webhook-Timestamp": "soon"},
        {"Webhook-Timestamp": "-1"},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,"},
        {"Webhook-Signature": "v1,AAAA"},
        {"Webhook-Signature": HEADERS["Webhook-Signature"].replace("v1,", "v2,")},
    ],
)
def test_what_was_changed_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused):
        verify_webhook(HEADERS | changed, BODY, SECRET, now=NOW)


def test_another_body_secret_or_time_is_refused() -> None:
    with pytest.raises(WebhookRefused):
        verify_webhook(HEADERS, BODY + b" ", SECRET, now=NOW)
    with pytest.raises(WebhookRefused):
        verify_webhook(HEADERS, BODY, OTHER, now=NOW)
    for now in (NOW + 301, NOW - 301):
        with pytest.raises(WebhookRefused, match="clocks"):
            verify_webhook(HEADERS, BODY, SECRET, now=now)
    for name in HEADERS:
        with pytest.raises(WebhookRefused, match=name.lower()):
            verify_webhook({key: HEADERS[key] for key in HEADERS if key != name}, BODY, SECRET, now=NOW)


def test_a_body_that_is_no_event_is_refused_though_it_is_signed() -> None:
    for body in (b"", b"[]", b"\xff"):
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        mac = hmac.digest(key, f"{HEADERS['Webhook-Id']}.{NOW}.".encode() + body, "sha256")
        signed = HEADERS | {"Webhook-Signature": f"v1,{base64.b64encode(mac).decode()}"}
        with pytest.raises(WebhookRefused):
            verify_webhook(signed, body, SECRET, now=NOW)


def test_a_secret_that_is_none_is_the_programs_fault() -> None:
    for secret in ("", "whsec_", "whsec_!"):
        with pytest.raises(ValueError):
            verify_webhook(HEADERS, BODY, secret, now=NOW)
