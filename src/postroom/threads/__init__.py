"""Threads: which messages belong together (RFC 5256, REFERENCES), whatever the order they arrive in.

    ancestry(references, in_reply_to)   the ids that a message's parents are looked for with
    links(node)                         the ids that put a message into a family
    families(nodes)                     the messages, grouped by these ids
    assign(account_id, nodes)           the thread id of every message of whole families
    tree(nodes)                         conversations as trees, for showing
    base_subject(subject)               the subject without Re:, Fwd:, [list] and (fwd), ready to be compared

Nothing here reads, writes or remembers anything, and no mail is too odd for it: every text is a subject, and
what is no message id is passed over.
"""

from postroom.threads.assign import assign, families
from postroom.threads.ids import ancestry, links
from postroom.threads.subject import base_subject
from postroom.threads.tree import ThreadTree, tree

__all__ = ["ThreadTree", "ancestry", "assign", "base_subject", "families", "links", "tree"]
