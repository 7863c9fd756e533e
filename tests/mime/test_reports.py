"""Delivery reports as servers write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroom.mime.parse import parse
from postroom.mime.reports import DeliveryReport, Reported, delivery_report
from tests.mime.build import mail, multipart, part

POSTFIX = """Reporting-MTA: dns; mail.example.com
X-Postfix-Queue-ID: 4F3C21
Original-Envelope-Id: 019a4c7e00007000800000000000abcd
Arrival-Date: Tue, 24 Nov 2026 10:00:00 +0100 (CET)

Final-Recipient: rfc822; bob@elsewhere.example
Original-Recipient: rfc822;Bob@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.elsewhere.example
Diagnostic-Code: smtp; 550 5.1.1 <bob@elsewhere.example>: Recipient address
    rejected: User unknown

Final-Recipient: rfc822; ann@example.com
Action: Delayed (still trying)
Status: 4.4.1
"""


def _report(status: str, *more: bytes) -> bytes:
    return multipart(
        "report; report-type=delivery-status",
        part("text/plain", "It could not be delivered."),
        part("message/delivery-status", status.replace("\n", "\r\n")),
        *more,
        header=("From: MAILER-DAEMON@example.com", "Subject: Undelivered"),
    )


def test_each_recipient_is_told_of_with_the_servers_words():
    returned = part("text/rfc822-headers", "Subject: x\r\nMessage-ID: <1@example.com>\r\n")
    assert delivery_report(parse(_report(POSTFIX, returned))) == DeliveryReport(
        envelope_id="019a4c7e00007000800000000000abcd",
        message_ids=("1@example.com",),
        recipients=(
            Reported(
                addresses=("bob@example.com", "bob@elsewhere.example"),
                action="failed",
                status="5.1.1",
                text="550 5.1.1 <bob@elsewhere.example>: Recipient address rejected: User unknown",
            ),
            Reported(
                addresses=("ann@example.com",), action="delayed", status="4.4.1", text="no reason given"
            ),
        ),
    )


def test_the_message_itself_may_come_back():
    returned = part("message/rfc822", "Message-ID: <2@example.com>\r\nSubject: x\r\n\r\ntext")
    found = delivery_report(parse(_report(POSTFIX, returned)))
    assert found
    assert found.message_ids == ("2@example.com",)


def test_what_is_no_report_is_none():
    assert delivery_report(parse(mail("Subject: x", "", "text"))) is None
    assert delivery_report(parse(_report("nonsense"))) is None
    assert delivery_report(parse(_report("Final-Recipient: rfc822; a@b\nAction: danced\n"))) is None


@given(st.binary(max_size=500) | st.text("Action:failed\n ;FinalRecipent-@.", max_size=300).map(str.encode))
def test_nothing_that_calls_itself_a_report_raises(status: bytes):
    delivery_report(parse(_report(status.decode("latin-1"))))
