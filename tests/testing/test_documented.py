"""What docs/reference/testing.md says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from postroom.testing import faults

PAGE = (Path(__file__).parents[2] / "docs/reference/testing.md").read_text()


def test_its_examples_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2
    for each in examples:
        exec(compile(each, "docs/reference/testing.md", "exec"), {})


def test_every_kind_of_fault_is_described() -> None:
    described = set(re.findall(r"`(\w+)`", "".join(re.findall(r"(?m)^\| (`.*?) \|", PAGE))))
    assert set(get_args(faults.FaultKind)) <= described
