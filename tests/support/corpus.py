"""The collections of real mail that tests read and that are no part of the repository."""

from __future__ import annotations

from pathlib import Path

from tests.support.needs import require

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def corpus(name: str) -> Path:
    """One collection; the test is skipped where it is not at hand."""
    path = CORPUS / name
    require(path.exists(), f"the corpus {name} is not at {path}")
    return path
