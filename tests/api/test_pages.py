"""HTML is safe to show: nothing runs, nothing is loaded from elsewhere, and what would have been is listed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.api.pages import safe

IMAGES = {"logo@x": "/v1/attachments/1/content"}
_LOADS = re.compile(
    r"""(?:src|srcset|background|poster|data|action|formaction|xlink:href)\s*=|url\s*\(|<(?:link|meta|base|script|iframe|object|embed|form|svg|style)""",
    re.IGNORECASE,
)


def _loads_nothing(html: str) -> bool:
    inside = re.sub(r"""(?<=<img )([^>]*)src="/v1/attachments/1/content\"""", r"\1", html)
    tags = "".join(re.findall(r"<[^>]*>", inside))
    return not _LOADS.search(tags) and not re.search(r"\bon\w+\s*=", tags)


@pytest.mark.parametrize(
    ("html", "kind", "url"),
    [
        ('<img src="https://t.example/p.gif">', "image", "https://t.example/p.gif"),
        ('<img src="//t.example/p.gif">', "image", "//t.example/p.gif"),
        ('<img src="data:image/png;base64,AAAA">', "image", "data:image/png;base64,AAAA"),
        ('<img srcset="https://t.example/2x 2x, https://t.example/3x 3x">', "image", "https://t.example/2x"),
        ('<table background="https://t.example/b.png"><tr><td>x</table>', "image", "https://t.example/b.png"),
        (
            '<p style="background-image:url(https://t.example/s)">x</p>',
            "style",
            "https://t.example/s",
        ),
        (
            "<p style=\"color: red; content: url('https://t.example/c')\">x</p>",
            "style",
            "https://t.example/c",
        ),
        (
            '<p style="color:image-set(&quot;https://t.example/i&quot; 1x)">x</p>',
            "style",
            "https://t.example/i",
        ),
    ],
)
def test_what_would_have_been_loaded_is_left_out_and_listed(html: str, kind: str, url: str) -> None:
    page = safe(html, IMAGES)
    assert {"kind": kind, "url": url} in page.blocked
    assert "t.example" not in page.html
    assert _loads_nothing(page.html)


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<style>@import url(https://t.example)</style>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="java\tscript:alert(1)">x</a>',
        '<a href="data:text/html,x">x</a>',
        '<a href="/v1/accounts">x</a>',
        '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
        '<p style="width: expression(alert(1))">x</p>',
        '<p style="color: \\75rl(https://t.example)">x</p>',
        '<p style="color: red/*; */; background: url(//t.example)">x</p>',
        '<p style="width: var(--x)">x</p>',
        '<p onclick="alert(1)">x</p>',
        '<form action="https://t.example"><input name=p></form>',
        '<meta http-equiv="refresh" content="0;url=https://t.example">',
        '<base href="https://t.example">',
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    ],
)
def test_nothing_runs_and_nothing_leads_to_where_it_should_not(html: str) -> None:
    page = safe(html, IMAGES)
    assert not re.search("javascript|t\\.example|alert|expression|var\\(|data:", page.html.lower()), page.html
    assert _loads_nothing(page.html)


def test_text_and_its_looks_stay() -> None:
    page = safe(
        '<p style="color: #c00; margin: 0 0 1em; width: calc(100% - 2px)">Hello <b>Ann</b></p>', IMAGES
    )
    assert (
        page.html == '<p style="color: #c00; margin: 0 0 1em; width: calc(100% - 2px)">Hello <b>Ann</b></p>'
    )
    assert page.blocked == []


def test_an_image_that_came_along_is_shown_by_our_own_address() -> None:
    page = safe('<img src="cid:logo@x" alt="Logo"><img src="cid:unknown">', IMAGES)
    assert 'src="/v1/attachments/1/content"' in page.html
    assert page.html.count("src=") == 1
    assert page.blocked == []


def test_a_link_is_followed_by_a_click_and_tells_nobody_where_from() -> None:
    page = safe('<a href="https://example.com/x?y=1">x</a>', IMAGES)
    assert page.html == '<a href="https://example.com/x?y=1" rel="noopener noreferrer nofollow">x</a>'


_PIECES = st.sampled_from(
    [
        "<img src=",
        "<p style=",
        "url(",
        "https://t.example/",
        '"',
        "'",
        ">",
        "<",
        "cid:logo@x",
        "data:",
        "\\",
        ";",
        ":",
        "background",
        "<svg>",
        "</",
        "<table background=",
        "srcset=",
        "<a href=",
        "javascript:",
        "&quot;",
        "\t",
        "/*",
        "*/",
        "<style>",
        "<!--",
        "-->",
        "<![CDATA[",
        "expression(",
        "=",
        " ",
        "x",
        "color",
        "<math>",
        "<noscript>",
        "\x00",
    ]
)


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_whatever_is_written_loads_nothing(html: str) -> None:
    assert _loads_nothing(safe(html, IMAGES).html)
