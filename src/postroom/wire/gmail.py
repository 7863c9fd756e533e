"""What Google Takeout says of a message in X-Gmail-Labels: folders and flags in one list, in any language."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from postroom.mime.headers import text_of
from postroom.wire.flags import Flags
from postroom.wire.folders import folder_name, folder_type

_FIELD = re.compile(rb"^X-Gmail-Labels:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE | re.IGNORECASE)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(", "))


_UNREAD = _words(
    "unread, ungelesen, non lus, non lu, no leído, no leídos, da leggere, non letto, non letti, "
    "ongelezen, não lida, não lidas, não lido, não lidos, oläst, olästa, ulæst, ulæste, ulest, uleste, "
    "lukematon, lukemattomat, nieprzeczytane, nepřečtené, okunmadı, okunmamış, непрочитанные, 未読, "
    "未读, 未讀, 읽지 않음"
)
_STARRED = _words(
    "starred, markiert, suivi, suivis, messages suivis, destacado, destacados, speciali, met ster, "
    "com estrela, stjärnmärkt, stjärnmärkta, stjernemarkeret, stjernemerket, tähdellä merkityt, "
    "oznaczone gwiazdką, s hvězdičkou, yıldızlı, помеченные, スター付き, 已加星标, 已加星號, 별표편지함"
)
_IMPORTANT = _words(
    "important, wichtig, importants, importante, importantes, importanti, belangrijk, viktigt, viktig, "
    "vigtig, vigtigt, tärkeä, tärkeät, ważne, důležité, önemli, важное, 重要, 중요"
)
_STATES = _words(
    "opened, archived, geöffnet, archiviert, ouvert, ouverts, archivé, archivés, archivé(s), "
    "messages archivés, abierto, abiertos, archivado, archivados, aperto, aperti, aperta, archiviato, "
    "archiviati, archiviata, geopend, gearchiveerd, aberto, abertos, aberta, arquivado, arquivados, "
    "arquivada, öppnad, öppnat, öppnade, arkiverad, arkiverat, arkiverade, åbnet, arkiveret, åpnet, "
    "arkivert, avattu, arkistoitu, otwarte, zarchiwizowane, otevřené, archivované, açıldı, arşivlendi, "
    "открытые, архивированные, 開封済み, アーカイブ済み, 已打开, 已归档, 열림, 보관됨"
)
_CATEGORY = re.compile(
    r"(category|kategorie|cat[ée]gorie|categor[ií]a|kategori|kategoria|カテゴリ|категория)\b", re.I
)
"""`Category Updates`, `Kategorie „Werbung“`, `Catégorie : Forums`: Gmail's tabs, which are no folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    flags: Flags
    folders: tuple[str, ...]


def labels_of(header: bytes) -> Labels | None:
    """Flags and folders of a message by its X-Gmail-Labels; None where it has no such field."""
    found = _FIELD.search(header) if b"mail-" in header or b"MAIL-" in header else None
    if found is None:
        return None
    names = _split(text_of(found[1]))
    folded = {name.casefold() for name in names}
    flags = {"\\Flagged"} if folded & _STARRED else set[str]()
    flags |= set() if folded & _UNREAD else {"\\Seen"}
    flags |= {"\\Draft"} if any(folder_type(name) == "drafts" for name in names) else set()
    keywords = frozenset({"$Important"} if folded & _IMPORTANT else ())  # RFC 8457 2
    return Labels(flags=(frozenset(flags), keywords), folders=_folders(names))


def _folders(names: list[str]) -> tuple[str, ...]:
    """The labels that are places; the inbox is INBOX in every language."""
    states = _UNREAD | _STARRED | _IMPORTANT | _STATES
    places = [name for name in names if name.casefold() not in states and not _CATEGORY.match(name)]
    named = ("INBOX" if folder_type(name) == "inbox" else folder_name(name) for name in places)
    return tuple(dict.fromkeys(named))


def _split(value: str) -> list[str]:
    """Comma separated; a label that holds a comma is quoted."""
    try:
        row = next(csv.reader([value], skipinitialspace=True), [])
    except csv.Error:
        row = value.split(",")
    return [name.strip() for name in row if name.strip()]
