"""Whether the directory's rules are as they should be: each server writes its own entry, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding

from mailtrust import clock
from mailtrust.agent.site import Site
from mailtrust.certificates.create import new_key, self_signed
from mailtrust.core.model.server import ServerName
from mailtrust.directory.rights import Deed, Guarded, Trial
from mailtrust.errors import Refused


@dataclass(frozen=True, slots=True)
class Judged:
    """A trial, and whether it ended as it should."""

    trial: Trial
    should: bool
    """Whether the deed should be allowed."""

    @property
    def is_right(self) -> bool | None:
        """None where it could not be tried."""
        return None if self.trial.allowed is None else self.trial.allowed is self.should


async def try_rights(
    site: Site, *, replica: str | None, neighbour: ServerName | None, anonymous_may_read: bool
) -> tuple[Judged, ...]:
    """
    Try what this server's account may do at the primary, or at the replica named.

    *neighbour*: whose entry must be closed to us; None: any other server of the directory.
    Raises: Refused where the replica knows nobody; DirectoryUnavailable where it cannot be asked.
    """
    await site.directory.discover()
    asked = site.directory.replica(replica)
    if not isinstance(asked, Guarded):
        raise Refused(
            f"{asked.url} is a file: whoever may write it may publish for every server",
            hint="guard it by the rights of the file and its folder; rules for each server need LDAP",
        )
    other = neighbour or await _neighbour(site)
    # Its key is forgotten here: were it ever seen, nobody could use it.
    value = self_signed(new_key("p256"), site.server, days=1, now=clock.now()).public_bytes(Encoding.DER)
    trials = await asked.rights(site.server, other, value)
    return tuple(Judged(one, _should(one.deed, anonymous_may_read=anonymous_may_read)) for one in trials)


def _should(deed: Deed, *, anonymous_may_read: bool) -> bool:
    return deed is Deed.OWN or (deed is Deed.ANONYMOUS and anonymous_may_read)


async def _neighbour(site: Site) -> ServerName | None:
    looks: Sequence[ServerName] = [one.server for one in await site.directory.look(None, clock.now())]
    return next((one for one in looks if one != site.server), None)
