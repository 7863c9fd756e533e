"""Sending as somebody types it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from postroom.mime.parse import parse
from tests.support.dovecot import Dovecot
from tests.support.site import Store
from tests.support.smtp import SmtpServer


@pytest.fixture
def me(store: Store, smtp: SmtpServer) -> tuple[str, ...]:
    """The options that name a tenant's account that can send."""
    options = ("-t", store.tenant(), "-a", "me@example.com")
    port = str(smtp.port)
    store.cli(
        "account", "smtp", *options, "--host", "127.0.0.1", "--port", port, "--encryption", "none", "--no-sign-in",
        "--name", "Me Müller", "--sent-copy", "none",
    )  # fmt: skip
    return options


def test_a_message_goes_out_with_all_that_belongs_to_it(
    store: Store, smtp: SmtpServer, me: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text('<img src="cid:logo.png">Grüße')
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    done = store.cli(
        "send", *me, "--to", "Ann <ann@example.com>", "--cc", "bob@example.com", "--bcc", "c@example.com", "-s", "Plan",
        "--text", "-", "--html", str(tmp_path / "page.html"), "--inline", str(tmp_path / "logo.png"),
        "--attach", str(tmp_path / "plan.pdf"), stdin="From the keyboard",
    )  # fmt: skip
    assert "Sent to ann@example.com, bob@example.com, c@example.com: 250 2.0.0 Taken as 4711" in done.stdout
    parsed = parse(smtp.received[0].raw)
    assert (parsed.from_[0].name, parsed.subject, parsed.text) == ("Me Müller", "Plan", "From the keyboard\n")
    assert [(each.filename, each.content_id, each.is_inline) for each in parsed.attachments] == [
        ("logo.png", "logo.png", True),
        ("plan.pdf", None, False),
    ]


def test_answers_and_forwards_of_stored_mail(
    store: Store, smtp: SmtpServer, me: tuple[str, ...], tmp_path: Path
) -> None:
    raw = (
        b"From: Ann <ann@example.com>\r\nTo: me@example.com, bob@example.com\r\nSubject: Plan\r\nMessage-ID: <1@x>\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nSee it\r\n--b\r\n'
        b'Content-Type: application/pdf; name="plan.pdf"\r\n\r\n%PDF\r\n--b--\r\n'
    )
    (tmp_path / "x.eml").write_bytes(raw)
    store.cli("import", *me, str(tmp_path / "x.eml"))
    [item] = store.json("search", *me[:2], "plan")["items"]
    [file] = store.json("show", *me[:2], item["id"])["attachments"]
    store.cli("send", *me, "--reply-to-message", item["id"], "--reply-all", "--text", "Yes")
    store.cli("send", *me, "--forward", item["id"], "--to", "d@example.com", "--as-attachment")
    store.cli("send", *me, "--to", "d@example.com", "--attach-stored", file["sha256"])
    answer, forwarded, attached = (parse(each.raw) for each in smtp.received)
    assert smtp.received[0].recipients == ["ann@example.com", "bob@example.com"]
    assert (answer.subject, answer.in_reply_to, answer.references) == ("Re: Plan", ("1@x",), ("1@x",))
    assert "> See it" in (answer.text or "")
    assert forwarded.attachments[0].data == raw
    assert (attached.attachments[0].filename, attached.attachments[0].data) == ("plan.pdf", b"%PDF")


def test_the_same_key_is_one_message(store: Store, smtp: SmtpServer, me: tuple[str, ...]) -> None:
    order = ("send", *me, "--to", "a@example.com", "--text", "x", "--idempotency-key", "order 1")
    first, second = store.json(*order), store.json(*order)
    assert (first["id"], first["is_new"], second["is_new"]) == (second["id"], True, False)
    assert len(smtp.received) == 1


def test_a_draft_is_written_sent_taken_back_and_sent(
    store: Store, smtp: SmtpServer, me: tuple[str, ...]
) -> None:
    tenant = me[:2]
    draft = store.json(
        "draft", "create", *me, "--to", "a@example.com", "--bcc", "hidden@example.com", "-s", "Plan"
    )["id"]
    store.cli("draft", "edit", *tenant, draft, "--text", "Hello")
    shown = store.json("draft", "show", *tenant, draft)
    assert (shown["subject"], shown["text"], shown["bcc"]) == ("Plan", "Hello\n", ["hidden@example.com"])
    waiting = store.json("draft", "send", *tenant, draft, "--undo-seconds", "600")
    assert store.json("draft", "list", *me)["items"] == []
    assert store.json("outbox", "cancel", *tenant, waiting["id"])["draft_id"] == draft
    assert [each["id"] for each in store.json("draft", "list", *me)["items"]] == [draft]
    sent = store.json("draft", "send", *tenant, draft)
    assert (sent["state"], smtp.received[0].recipients) == ("done", ["a@example.com", "hidden@example.com"])
    assert b"hidden@example.com" not in smtp.received[0].raw
    assert store.cli("draft", "show", *tenant, draft, check=False).returncode == 3
    states = [each["state"] for each in store.json("outbox", "list", *me)["items"]]
    assert states == ["done", "cancelled"]


def test_what_was_not_sent_ends_with_exit_code_11(
    store: Store, smtp: SmtpServer, me: tuple[str, ...]
) -> None:
    order = ("send", *me, "--text", "x", "--to", "a@example.com")
    for fault, said in (
        ("refuse data", "Not sent to a@example.com: 554 5.7.1 Spam"),
        ("defer data", "Not sent to a@example.com yet; due again at "),
        ("drop after data", "It may have been sent to a@example.com."),
    ):
        smtp.fault = fault
        done = store.cli(*order, check=False)
        assert done.returncode == 17
        assert said in done.stdout
    smtp.fault, smtp.refused = "", {"b@example.com"}
    done = store.cli(*order, "--to", "b@example.com", check=False)
    assert done.returncode == 17
    assert "Refused for b@example.com: 550 5.1.1 No such user here" in done.stdout


def test_an_open_question_is_settled(store: Store, smtp: SmtpServer, me: tuple[str, ...]) -> None:
    smtp.fault = "drop after data"
    done = store.cli("send", *me, "--text", "x", "--to", "a@example.com", "--json", check=False)
    id_ = json.loads(done.stdout)["id"]
    assert "unknown" in store.cli("outbox", "show", *me[:2], id_).stdout
    assert store.cli("outbox", "settle", *me[:2], id_, check=False).returncode == 2
    assert store.json("outbox", "settle", *me[:2], id_, "--sent")["state"] == "done"
    smtp.fault = ""
    assert store.json("outbox", "run", *me[:2])["sent"] == 0


def test_the_mailboxs_own_password_sends_and_copies(store: Store, smtp: SmtpServer, dovecot: Dovecot) -> None:
    smtp.users = {"alice": "alice-pw"}
    me = ("-t", store.tenant(), "-a", "alice@example.com")
    store.cli(
        "account", "add", *me[:2], "--email", me[3], "--host", "127.0.0.1", "--port", str(dovecot.imap_port),
        "--encryption", "none", "--username", "alice", "--password-stdin", stdin="alice-pw\n",
    )  # fmt: skip
    store.cli(
        "account", "smtp", *me, "--host", "127.0.0.1", "--port", str(smtp.port), "--encryption", "none",
        "--username", "alice", "--same-password",
    )  # fmt: skip
    found = store.json("send", *me, "--to", "a@example.com", "-s", "Hello there", "--text", "x")
    assert (found["state"], found["copy_state"], found["copy_uid"]) == ("done", "made", 1)
    store.cli("sync", *me)
    [item] = store.json("search", *me[:2], "in:sent hello")["items"]
    assert store.json("show", *me[:2], item["id"])["message_id"] == found["message_id"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "The message is for nobody"),
        (("--to", "ann at example.com"), "'ann at example.com' is no address"),
        (("--to", "a@b.example", "--at", "soon"), "--at is 'soon'"),
        (("--to", "a@b.example", "--attach", "/no/such/file"), "The file /no/such/file cannot be read"),
        (("--reply-to-message", "zz"), "'zz' is not the id of a message"),
    ],
)
def test_mistakes_end_in_a_sentence(
    store: Store, me: tuple[str, ...], more: tuple[str, ...], said: str
) -> None:
    done = store.cli("send", *me, *more, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_every_command_teaches_by_example(store: Store) -> None:
    commands = [
        "send",
        "account smtp",
        *(f"draft {each}" for each in "create edit list show send delete".split()),
    ]
    commands += [f"outbox {each}" for each in "list show cancel settle run".split()]
    text = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text()
    for command in commands:
        assert "Example:" in store.cli(*command.split(), "--help").stdout, command
        assert re.search(rf"`postroom {command.split()[0]}", text), command
