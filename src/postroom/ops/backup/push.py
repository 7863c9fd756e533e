"""The archive command: `python -m postroom.ops.backup.push HOME/backup.json %p %f`, run by the server itself.

It imports little, for it starts anew for each 16 MB of the log. What it says stands in the server's log.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from postroom.errors import PostroomError
from postroom.ops.backup import arrangement, wal


def main(arguments: list[str]) -> int:
    """0 when the file is safe in the archive; else 1, and the server tries again."""
    config, path, name = arguments
    try:
        plan = arrangement.read(Path(config))
        os.environ.update(plan.environment)
        wal.push(plan.archive(), plan.key(), Path(path), name)
    except (PostroomError, OSError) as error:
        sys.stderr.write(f"postroom: {name} is not archived: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0)  # whoever gets here can import all that is needed
    sys.exit(main(sys.argv[1:]))
