"""The people of the sample mailbox: all invented, all at domains that can never exist (RFC 2606)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    key: str
    name: str
    address: str
    offset_hours: int = 0
    """How far the clock on the wall is from UTC."""
    footer: str = ""
    mailer: str = ""

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]


def _person(
    key: str, name: str, address: str, offset_hours: int = 0, footer: str = "", mailer: str = ""
) -> Person:
    return Person(
        key=key, name=name, address=address, offset_hours=offset_hours, footer=footer, mailer=mailer
    )


ME = _person(
    "alex",
    "Alex Morgan",
    "alex@postroom.example",
    1,
    "Alex Morgan\nNorthpier Studio, Warehouse 9",
    "Pelican 4.2",
)

_CAST = (
    ME,
    _person(
        "priya",
        "Priya Raman",
        "priya.raman@northpier.example",
        1,
        "Priya Raman, structures\nNorthpier Studio",
        "Gannet 11.0",
    ),
    _person(
        "tomasz",
        "Tomasz Zieliński",
        "tomasz.zielinski@northpier.example",
        1,
        "Tomasz Zieliński, survey\nNorthpier Studio",
        "Gannet 11.0",
    ),
    _person(
        "ben", "Ben Achterberg", "ben@northpier.example", 1, "Ben, who looks after the machines", "mutter 2.3"
    ),
    _person(
        "hannah",
        "Hannah Brandt",
        "h.brandt@brandt-weber.example",
        1,
        "Hannah Brandt, Architektin\nBrandt & Weber",
        "Heron 16.0",
    ),
    _person(
        "jonas", "Jonas Weber", "j.weber@brandt-weber.example", 1, "Jonas Weber\nBrandt & Weber", "Heron 16.0"
    ),
    _person(
        "marta",
        "Marta Kowalczyk",
        "marta@muzeum-portowe.example",
        1,
        "Marta Kowalczyk\nMuzeum Portowe",
        "Gannet 10.4",
    ),
    _person(
        "alice",
        "Alice Okafor",
        "alice.okafor@brightledger.example",
        0,
        "Alice Okafor\nBright Ledger, accounts for small studios",
        "Ledgerpost 7",
    ),
    _person(
        "greta",
        "Greta Lindqvist",
        "greta.lindqvist@mail.example.co.uk",
        0,
        "Greta Lindqvist\nDeputy harbour master",
    ),
    _person(
        "claire",
        "Claire Dubois",
        "claire@atelier-dubois.example",
        1,
        "Claire Dubois\nAtelier Dubois, Nantes",
        "Pelican 4.1",
    ),
    _person(
        "lucia",
        "Lucía Fernández",
        "lucia@astilleros-luna.example",
        1,
        "Lucía Fernández\nAstilleros Luna, Cádiz",
    ),
    _person(
        "nikos",
        "Νίκος Παπαδάκης",
        "nikos@kalypso-marine.example",
        2,
        "Νίκος Παπαδάκης\nKalypso Marine, Χανιά",
    ),
    _person(
        "elena", "Елена Соколова", "elena@nevalights.example", 3, "Елена Соколова\nНевские огни", "Heron 15.2"
    ),
    _person("yuki", "田中 由紀", "tanaka@minato-kobo.example", 9, "田中 由紀\n港工房", "Kamome 8.5"),
    _person("wei", "陈伟", "chen.wei@bluelantern.example", 8, "陈伟\n蓝灯照明有限公司", "Kamome 8.1"),
    _person("samir", "سمير حداد", "samir@haddad-glass.example", 2, "سمير حداد\nمصنع حداد للزجاج"),
    _person("mum", "Ruth Morgan", "ruth@morgan-family.example", 0, "", "Wren for tablets"),
    _person("nell", "Nell Morgan", "nell@morgan-family.example", -5, "", "Wren for phones"),
    _person("karl", "Karl Morgan", "onkel.karl@elbmail.example", 1, "", "Elbmail Web"),
    _person(
        "fiona", "Fiona Gale", "fiona@tidewater.test", 0, "Fiona (captain, this year at least)", "Pelican 4.2"
    ),
    _person("owen", "Owen Pryce", "owen.pryce@slipway.test", 0, "", "Wren for phones"),
    _person("dita", "Dita Nováková", "dita@slipway.test", 1, "", "mutter 2.1"),
    _person(
        "ravi",
        "Ravi Menon",
        "ravi@longreach.test",
        0,
        "Ravi\nTreasurer, Tidewater Rowing Club",
        "Gannet 10.4",
    ),
)

PEOPLE = {person.key: person for person in _CAST}
