"""Search: what a message is found by, the query language, and the snippets that show why. No I/O."""

from postroom.search.compile import compiled, in_text, ranked_by
from postroom.search.highlight import snippet
from postroom.search.nodes import Node
from postroom.search.query import parse
from postroom.search.words import Document, Vector, tsvector

__all__ = ["Document", "Node", "Vector", "compiled", "in_text", "parse", "ranked_by", "snippet", "tsvector"]
