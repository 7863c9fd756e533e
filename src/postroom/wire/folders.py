"""What a folder is for, told by RFC 6154 SPECIAL-USE where a server says so, and by its name otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from postroom.model import FolderType

SPECIAL_USE: dict[str, FolderType] = {
    "\\all": "archive",  # RFC 6154 2: all messages, what Gmail calls "All Mail"
    "\\archive": "archive",
    "\\drafts": "drafts",
    "\\junk": "spam",
    "\\sent": "sent",
    "\\trash": "trash",
}
"""The attributes of RFC 6154 2 that are folder types; `\\Flagged` and `\\Important` are views, not places."""

_NAMES: dict[FolderType, str] = {
    "inbox": (
        "inbox, posteingang, boîte de réception, bandeja de entrada, recibidos, posta in arrivo, "
        "postvak in, caixa de entrada, entrada, inkorg, inkorgen, indbakke, innboks, saapuneet, "
        "odebrane, doručená pošta, gelen kutusu, входящие, 受信トレイ, 收件箱, 받은편지함"
    ),
    "sent": (
        "sent, sent items, sent mail, sent messages, gesendet, gesendete objekte, gesendete elemente, "
        "gesendete nachrichten, envoyés, messages envoyés, éléments envoyés, enviados, "
        "elementos enviados, correo enviado, mensajes enviados, itens enviados, inviati, "
        "posta inviata, posta inviati, verzonden, verzonden items, verzonden berichten, skickat, "
        "skickade, sendt, sendte, sendt post, lähetetyt, wysłane, odeslaná pošta, odeslané, "
        "gönderilmiş postalar, gönderilenler, отправленные, 送信済み, 送信済みメール, 已发送, "
        "已发送邮件, 보낸편지함"
    ),
    "drafts": (
        "drafts, draft, entwürfe, entwurf, brouillons, borradores, rascunhos, bozze, concepten, "
        "utkast, kladder, luonnokset, szkice, koncepty, wersje robocze, taslaklar, черновики, 下書き, "
        "草稿, 草稿箱, 임시보관함"
    ),
    "trash": (
        "trash, bin, deleted, deleted items, deleted messages, papierkorb, gelöscht, "
        "gelöschte objekte, gelöschte elemente, corbeille, éléments supprimés, papelera, "
        "elementos eliminados, eliminados, cestino, posta eliminata, prullenbak, verwijderde items, "
        "lixeira, lixo, itens excluídos, papperskorg, papperskorgen, papirkurv, slettet, roskakori, "
        "kosz, koš, çöp kutusu, корзина, удаленные, удалённые, ゴミ箱, 已删除, 已删除邮件, 휴지통"
    ),
    "spam": (
        "spam, junk, junk e-mail, junk email, junk mail, bulk mail, unerwünscht, spamverdacht, "
        "courrier indésirable, indésirables, pourriel, correo no deseado, no deseado, "
        "posta indesiderata, ongewenst, ongewenste e-mail, ongewenste reclame, lixo eletrônico, "
        "skräppost, uønsket post, søppelpost, roskaposti, nevyžádaná pošta, önemsiz, спам, 迷惑メール, "
        "垃圾邮件, 스팸함"
    ),
    "archive": (
        "archive, archives, archived, archiv, archivo, archivados, archivio, archief, arquivo, arkiv, "
        "arkisto, archiwum, arşiv, архив, アーカイブ, 归档, all mail, "
        "all mail including spam and trash, alle nachrichten, tous les messages, todos, "
        "tutti i messaggi, alle e-mails, todos os e-mails"
    ),
}
_BY_NAME: dict[str, FolderType] = {name: kind for kind, names in _NAMES.items() for name in names.split(", ")}
_PARENTS = ("inbox", "[gmail]", "[google mail]")


def folder_type(name: str, special_use: Iterable[str] | str | None = ()) -> FolderType:
    """The type of a folder with this decoded name, levels joined by `/`, and these SPECIAL-USE attributes.

    Only a name at the top, or right below INBOX or [Gmail], counts: `Projects/Archive` is somebody's own.
    """
    uses = [special_use] if isinstance(special_use, str) else special_use or ()
    for use in uses:
        if kind := SPECIAL_USE.get(use.lower()):
            return kind
    parent, _, last = name.casefold().rpartition("/")
    kind = _BY_NAME.get(last.strip())
    if kind is None or (parent and (parent not in _PARENTS or kind == "inbox")):
        return "custom"
    return kind


def folder_name(name: str) -> str:
    """The name to store: INBOX in any case is INBOX (RFC 9051 5.1), any other name is its own."""
    return "INBOX" if name.casefold() == "inbox" else name
