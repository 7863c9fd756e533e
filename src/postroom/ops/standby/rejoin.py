"""Rejoining: a primary that another has replaced becomes a standby of it, by pg_rewind where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from postroom.errors import ClusterError, UsageError
from postroom.ops import members
from postroom.ops.cluster import Cluster
from postroom.ops.home import Home, load_secrets
from postroom.ops.making import SUPERUSER, last_words
from postroom.ops.members import Member, Members, take_fence_away
from postroom.ops.server_user import server_user
from postroom.ops.standby import following
from postroom.ops.standby.asking import monitor, primary_among, refused, state_of, states
from postroom.ops.standby.copying import carry_backups, carry_keys, password_file
from postroom.ops.standby.place import SIGNAL, floors_of, write_follower
from postroom.ops.standby.programs import program_for
from postroom.settings import Settings

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejoined:
    """A standby again."""

    name: str
    follows: str
    how: str
    """followed already, rewound, or copied anew."""
    because: str
    """Why it had to be copied, as pg_rewind said it."""
    is_synchronous: bool


def rejoin(settings: Settings, tell: Tell) -> Rejoined:
    """Let the server in this home follow whichever member takes writes. Raises UsageError, ClusterError."""
    known = members.read(settings.home)
    if known is None:
        raise UsageError(
            reason=f"The store in {settings.home} has no other member. Make one: postroom standby create --into DIR."
        )
    return rejoin_member(settings, known, known.me, tell)


def rejoin_member(settings: Settings, known: Members, member: Member, tell: Tell) -> Rejoined:
    """The same for any member whose home is on this machine."""
    home = Home(settings.home)
    leader = primary_among(states(known, home))
    if leader is None:
        raise ClusterError(
            reason="No member takes writes, so there is none to follow.",
            mend="Start the primary (postroom up --detach), or promote a standby: postroom --data-dir DIR standby promote.",
        )
    if leader.member.name == member.name:
        raise UsageError(reason=f"{member.name} is the one that takes writes.")
    place = member.local
    if place is None:
        raise UsageError(reason=f"The home of {member.name} is not on this machine. Run this where it is.")
    return _Rejoining(settings, known, member, leader.member, place, tell).rejoin()


class _Rejoining:
    """One server at work."""

    def __init__(
        self, settings: Settings, known: Members, member: Member, leader: Member, home: Home, tell: Tell
    ) -> None:
        self._settings, self._known, self._tell = settings, known, tell
        self._member, self._leader, self._home = member, leader, home
        self._keys = leader.local or Home(settings.home)
        self._cluster = Cluster(home.path, postgres_bin=settings.postgres_bin, port=member.port)

    def rejoin(self) -> Rejoined:
        if self._follows_already():
            return self._done("followed already")
        self._cluster.stop()
        following.make_slot(self._known, self._leader, self._member.slot, self._keys)
        because = self._rewind()
        if not because:
            try:
                self._start()
                return self._done("rewound")
            except ClusterError as error:
                because = str(error.fields["reason"])
                self._cluster.stop("immediate")
        self._tell(f"pg_rewind cannot bring it back ({because}): its data is copied anew")
        following.forget_slot(self._known, self._leader, self._member.slot, self._keys)
        following.copy(self._settings, self._known, self._member, self._leader, self._keys.path)
        self._start()
        return self._done("copied anew", because)

    def _follows_already(self) -> bool:
        state = state_of(self._known, self._member, self._home)
        return (
            state is not None
            and state.is_standby
            and members.fence_of(self._home) is None
            and self._member.name in following.followers(self._known, self._leader, self._keys)
        )

    def _rewind(self) -> str:
        """Take back what the leader never had. Why not, where it is not possible; then the data is as it was."""
        home, user = self._home, server_user(self._home.data)
        try:
            major = int((home.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return "there is no data here"
        program = program_for(self._settings, "pg_rewind", major, user, home.path)
        if program is None:
            return f"there is no pg_rewind of PostgreSQL {major} on this machine"
        if self._leader.local is None:
            return "the primary's superuser is not known here"
        try:
            with monitor(self._known, self._leader, self._keys) as connection:
                floors = floors_of(connection)
        except psycopg.Error as error:
            raise refused(f"{self._leader.name} does not answer", error) from error
        # With the signal the server would not recover alone what a crash left, as pg_rewind lets it do first.
        (home.data / SIGNAL).unlink(missing_ok=True)
        where = f"host={self._leader.host} port={self._leader.port} user=postgres dbname=postgres"
        with password_file(home, user, load_secrets(self._keys.path)[SUPERUSER]) as file:
            options = [f"--target-pgdata={home.data}", f"--source-server={where} passfile={file}"]
            done = user.run([program, *options])
        # pg_rewind copies the leader's settings as well; and a server that was not rewound must not lead either.
        write_follower(home.data, self._known, self._member.name, self._keys, floors)
        if done.returncode != 0:
            return last_words(done.text)
        carry_keys(self._keys.path, home)
        carry_backups(self._keys.path, home, home.data, user)
        return ""

    def _start(self) -> None:
        take_fence_away(self._home)
        try:
            self._cluster.ensure_running()
            self._tell(f"Waiting until {self._member.name} follows {self._leader.name}")
            following.wait_for(self._known, self._leader, self._member, self._keys)
        except BaseException:
            members.put_fence(self._home, self._leader.name)
            raise

    def _done(self, how: str, because: str = "") -> Rejoined:
        synchronous = following.lead_with_all(self._known, self._leader, self._keys)
        return Rejoined(
            name=self._member.name,
            follows=self._leader.name,
            how=how,
            because=because,
            is_synchronous=self._member.name in synchronous,
        )
