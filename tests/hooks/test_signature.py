"""Signatures are those of Standard Webhooks, by each of the secrets."""

from __future__ import annotations

from postroom.hooks.signature import headers, new_secret

# The example of the specification and its reference libraries.
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_ID, _AT, _BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_standard_is_signed_as_it_says() -> None:
    assert headers([_SECRET], _ID, _AT, _BODY) == {
        "webhook-id": _ID,
        "webhook-timestamp": str(_AT),
        "webhook-signature": _SIGNATURE,
    }


def test_every_secret_signs() -> None:
    several = headers([new_secret(), _SECRET], _ID, _AT, _BODY)["webhook-signature"].split(" ")
    assert len(set(several)) == 2
    assert several[1] == _SIGNATURE


def test_no_secret_is_made_twice() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(each.startswith("whsec_") and len(each) == 50 for each in made)
