"""Pages: the HTML of a message as it may be shown. Nothing in it runs, nothing in it is loaded from anywhere else.

Allowed are tags that only arrange text, styles whose values cannot name an address, and links, which somebody must click.
Images are shown where they came with the message. What else would have been loaded is left out and listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import nh3

MOST_CHARACTERS = 2_000_000
_TAGS = set(
    "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div"
    " dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark ol p pre q rp rt ruby s"
    " samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr".split()
)
_DROPPED_WHOLE = set("script style title template noscript iframe object embed svg math audio video".split())
_EVERYWHERE = set("align dir lang style title valign width height bgcolor color".split())
_OF_TAG = {
    "a": {"href", "name"},
    "img": {"src", "alt", "border", "hspace", "vspace"},
    "td": {"colspan", "rowspan", "nowrap"},
    "th": {"colspan", "rowspan", "nowrap", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "table": {"border", "cellpadding", "cellspacing", "summary"},
    "font": {"face", "size"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value"},
    "time": {"datetime"},
    "blockquote": {"type"},
}
_SCHEMES = {"http", "https", "mailto", "tel"}
_PROPERTIES = set(
    "background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width border-collapse"
    " border-color border-left border-left-color border-left-style border-left-width border-radius border-right"
    " border-right-color border-right-style border-right-width border-spacing border-style border-top border-top-color"
    " border-top-style border-top-width border-width box-sizing caption-side clear color direction display empty-cells float"
    " font font-family font-size font-style font-variant font-weight height letter-spacing line-height list-style-type margin"
    " margin-bottom margin-left margin-right margin-top max-height max-width min-height min-width overflow-wrap padding"
    " padding-bottom padding-left padding-right padding-top table-layout text-align text-decoration text-indent"
    " text-transform vertical-align white-space width word-break word-spacing word-wrap".split()
)
_DECLARATION = re.compile(r"\s*([a-zA-Z-]+)\s*:\s*([^;]*)")
# An address can stand in url(…), image(…), src(…), var(…), and in whatever comes next: only these may have brackets.
_CALL = re.compile(r"(?<![\w-])(?!(?:rgba?|hsla?|calc)\()[\w-]*\(")
_ADDRESS = re.compile(r"""(?:url|src|image|image-set)\(\s*["']?([^"')]{1,2000})""", re.IGNORECASE)
_SRCSET = re.compile(r"\s*([^\s,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What may be shown, and what would have been loaded."""

    html: str
    blocked: list[dict[str, str]] = field(default_factory=list)
    """`{"kind": "image" or "style", "url": …}`, each once."""


def safe(html: str, images: Mapping[str, str]) -> Page:
    """`images` are the addresses of the parts of the message by their Content-ID."""
    blocked: dict[tuple[str, str], None] = {}
    cleaned = nh3.clean(
        html[:MOST_CHARACTERS],
        tags=_TAGS,
        clean_content_tags=_DROPPED_WHOLE,
        attributes=_ATTRIBUTES,
        attribute_filter=_filter(images, blocked),
        url_schemes=_SCHEMES | {"cid", "data"},
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )
    return Page(html=cleaned, blocked=[{"kind": kind, "url": url} for kind, url in blocked])


_ATTRIBUTES: dict[str, set[str]] = {"*": _EVERYWHERE | {"background", "srcset"}, **_OF_TAG}


def _filter(
    images: Mapping[str, str], blocked: dict[tuple[str, str], None]
) -> Callable[[str, str, str], str | None]:
    def block(kind: str, url: str) -> None:
        if len(blocked) < 1000:
            blocked[kind, url.strip()[:2000]] = None

    def one(tag: str, name: str, value: str) -> str | None:
        match name:
            case "style":
                return _style(value, block) or None
            case "src":
                return _image(value, images, block)
            case "background":
                block("image", value)
                return None
            case "srcset":
                for url in _SRCSET.findall(value)[:20]:
                    block("image", url)
                return None
            case "href":
                return _link(value) if tag == "a" else None
            case _:
                return value

    return one


def _link(value: str) -> str | None:
    scheme, colon, _ = value.strip().partition(":")
    return value.strip() if colon and scheme.lower() in _SCHEMES else None


def _image(value: str, images: Mapping[str, str], block: Callable[[str, str], None]) -> str | None:
    scheme, _, rest = value.strip().partition(":")
    if scheme.lower() == "cid":
        return images.get(rest.strip().strip("<>"))
    block("image", value)
    return None


def _style(value: str, block: Callable[[str, str], None]) -> str:
    """The declarations that cannot load anything. A backslash could spell whatever it likes."""
    for url in _ADDRESS.findall(value):
        block("style", url)
    if "\\" in value or "/*" in value or "@" in value:
        return ""
    kept = []
    for name, said in _DECLARATION.findall(value):
        if name.lower() in _PROPERTIES and not _CALL.search(said) and "<" not in said:
            kept.append(f"{name.lower()}: {said.strip()}")
    return "; ".join(kept)
