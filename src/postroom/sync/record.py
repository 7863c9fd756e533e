"""Record: an account read from scratch, as a first sync reads it, to tell how its server speaks. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from postroom.errors import SourceError
from postroom.model import RawMessage, SourceFolder
from postroom.wire.imap import ImapSource
from postroom.wire.imap_record import Recorder


@dataclass(slots=True, kw_only=True)
class Recorded:
    """What was read while it was recorded."""

    folders: int = 0
    messages: int = 0
    unreadable: int = 0
    error: SourceError | None = None
    """What ended it, where that was not the end of the mail."""


def record(
    source: ImapSource, recorder: Recorder, report: Callable[[str, int, int], None] = lambda *_: None
) -> Recorded:
    """Read everything, in the order in which a sync of the recording will. Blocks."""
    done = Recorded()
    try:
        listed = source.folders()
        source.states()
        ids: set[str] = set()
        for folder in sorted(listed, key=lambda each: _place(recorder, each)):
            if folder.is_selectable:
                _folder(source, folder, ids, done, report)
                done.folders += 1
    except SourceError as error:
        done.error = error
    finally:
        source.close()
    return done


def _folder(
    source: ImapSource,
    folder: SourceFolder,
    ids: set[str],
    done: Recorded,
    report: Callable[[str, int, int], None],
) -> None:
    wanted = sorted(source.state(folder).uids, reverse=True)  # newest first
    sizes: dict[int, int] = {}
    if done.messages and wanted and source.knows_messages:
        seen = source.sightings(folder, wanted)
        known = {uid for uid, each in seen.items() if each.object_id in ids}
        wanted = [uid for uid in wanted if uid not in known]
        sizes = {uid: each.size_bytes for uid, each in seen.items() if each.size_bytes is not None}
    for at, each in enumerate(source.messages(folder, wanted, sizes or None), 1):
        if isinstance(each, RawMessage):
            done.messages += 1
            ids |= {each.object_id} if each.object_id else set()
        else:
            done.unreadable += 1
        report(folder.name, at, len(wanted))


def _place(recorder: Recorder, folder: SourceFolder) -> tuple[bool, str]:
    """Where it stands among the masked names, by which whoever plays the recording goes."""
    masked = replace(folder, name=recorder.mask.name(folder.wire_name or folder.name))
    return masked.name != "INBOX", masked.name
