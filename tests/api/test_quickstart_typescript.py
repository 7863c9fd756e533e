"""The quickstart in TypeScript runs as it stands: types from the document, checked strictly, asking a real service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.api.conftest import House
from tests.support.needs import require
from tests.support.service import Service

PAGE = Path(__file__).parents[2] / "docs/quickstart-typescript.md"


def test_the_quickstart_in_typescript_runs_as_it_stands(
    service: Service, house: House, tmp_path: Path
) -> None:
    require(
        shutil.which("npm") is not None, "there is no Node.js: the quickstart in TypeScript cannot be run"
    )
    text = PAGE.read_text()
    (program,) = re.findall(r"```ts\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mail.ts").write_text(program)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))],
        cwd=tmp_path, env=os.environ | {"POSTROOM_URL": service.url, "POSTROOM_API_KEY": house.key},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    is_cut_off = "ENOTFOUND" in done.stderr or "EAI_AGAIN" in done.stderr
    require(not is_cut_off, "the npm registry cannot be reached: the quickstart in TypeScript cannot be run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^found .*[Ii]nvoice.* from \S+@\S+$", done.stdout, re.MULTILINE)
    assert re.search(r"^drafted Re: .* to \S+", done.stdout, re.MULTILINE)
    assert re.search(r"^event updated message [0-9a-f-]{36}", done.stdout, re.MULTILINE)
