"""Outbox: what people want sent, sent once. A worker calls `run_due` for each account that may have something due."""

from postroom.outbox.run import Tally, run_due

__all__ = ["Tally", "run_due"]
