"""Threads: which messages belong together (RFC 5256, REFERENCES), whatever the order they arrive in.

    links(node)                 the ids that put a message into a family
    assign(account_id, nodes)   the thread id of every message of whole families
    tree(nodes)                 the conversation as a tree, for showing
"""

from postroom.threads.assign import assign, families, links
from postroom.threads.subject import base_subject
from postroom.threads.tree import ThreadTree, tree

__all__ = ["ThreadTree", "assign", "base_subject", "families", "links", "tree"]
