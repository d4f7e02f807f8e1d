"""`mailtrust withdraw`: a value, out of the directory for good."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from mailtrust.agent import act
from mailtrust.agent.look import OWN, Scope, look
from mailtrust.agent.report import moment
from mailtrust.agent.site import Site, open_site
from mailtrust.cli.certificates import describe
from mailtrust.cli.frame import (
    CertificateArgument,
    DryRunOption,
    JsonOption,
    Session,
    YesOption,
    confirm,
    given,
    session,
)
from mailtrust.cli.output import emit, foretell, say
from mailtrust.cli.program import application
from mailtrust.cli.render import place_name
from mailtrust.core.model.certificate import Fingerprint, certificate_reference, matches, short
from mailtrust.core.model.event import when
from mailtrust.core.model.plan import Withdraw
from mailtrust.core.model.server import ServerName, server_name
from mailtrust.core.model.sighting import ReplicaSighting, View
from mailtrust.errors import UnknownCertificate

app = application()

WITHDRAW_SCHEMA = "mailtrust.withdraw/1"


@dataclass(frozen=True, slots=True)
class _Value:
    """Something that stands on a server's entry, or stood there."""

    digest: Fingerprint
    description: str


@app.command(epilog="Example: mailtrust withdraw 1a2b3c4d --server hub2.example.test")
def withdraw(
    context: typer.Context,
    certificate: CertificateArgument,
    *,
    server: Annotated[str | None, given("Whose entry. Default: this server's.", metavar="NAME")] = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Take a certificate, or a value that is none, out of the directory for good.

    Refused where it is current or presented. What was withdrawn never returns.
    """
    here = session(context)
    config = here.config()
    name = server_name(server) if server else config.server.name

    async def run() -> None:
        async with open_site(config, looking_only=True) as site:
            command = _Withdraw(here, site, name, json_output=json_output)
            await command.run(certificate, yes=yes, dry_run=dry_run)

    asyncio.run(run())


class _Withdraw:
    def __init__(self, here: Session, site: Site, server: ServerName, *, json_output: bool) -> None:
        self._here, self._site, self._server, self._json_output = here, site, server, json_output

    async def run(self, reference: str, *, yes: bool, dry_run: bool) -> None:
        own = self._server == self._site.server
        view, _ = await look(self._site, OWN if own else Scope(server=self._server), wire=False)
        value = _found(view, self._server, reference)
        looks = view.replicas(self._server)
        gone = _gone(view, self._server, value.digest)
        if gone is not None or not _may_stand(looks, value.digest):
            self._tell_unchanged(value, looks, gone)
            return
        action = Withdraw(self._server, value.digest)
        unseen = await act.withdraw(self._site, action, dry_run=True)
        if dry_run:
            would = f"would withdraw {value.description} from the entry of {self._server}, for good"
            foretell(would, *_unseen(unseen, value), json_output=self._json_output)
            return
        confirm(f"Withdraw {value.description} from the entry of {self._server}, for good?", yes=yes)
        self._site.journal.read_only = False
        unseen = await act.withdraw(self._site, action)
        if self._json_output:
            self._emit(value, changed=True, at=None, unseen=unseen)
            return
        say(f"withdrew {value.description} from the entry of {self._server}; it never returns", "green")
        for line in _unseen(unseen, value):
            say(f"  ? {line}", "magenta")
        others = [one for one in looks if not one.primary and value.digest in _digests(one)]
        if others:
            names = ", ".join(place_name(one.place) for one in others)
            say(f"still shown by {names} until the withdrawal arrives there")
        say(f"next: {self._here.command('check')}")

    def _tell_unchanged(
        self, value: _Value, looks: tuple[ReplicaSighting, ...], gone: datetime | None
    ) -> None:
        if self._json_output:
            self._emit(value, changed=False, at=gone, unseen=())
            return
        if gone is None:
            say(f"nothing to change: no replica publishes {value.description} for {self._server}")
            return
        say(f"nothing to change: {value.description} was withdrawn at {when(gone)}")
        behind = [place_name(one.place) for one in looks if value.digest in _digests(one)]
        if behind:
            say(f"still shown by {', '.join(behind)} until the withdrawal arrives there")

    def _emit(self, value: _Value, *, changed: bool, at: datetime | None, unseen: tuple[str, ...]) -> None:
        emit({
            "schema": WITHDRAW_SCHEMA,
            "server": self._server,
            "fingerprint": value.digest,
            "changed": changed,
            "withdrawn_at": moment(at) if at else None,
            "unseen": list(unseen),
        })  # fmt: skip


def _unseen(endpoints: tuple[str, ...], value: _Value) -> list[str]:
    return [f"whether {one} presents {short(value.digest)} could not be seen" for one in endpoints]


def _found(view: View, server: ServerName, reference: str) -> _Value:
    """
    What a person means on that server's entry, or in its store.

    Raises: BadInput, UnknownCertificate with the candidates.
    """
    wanted = certificate_reference(reference)
    known = dict(_values(view, server, None))
    found = dict(_values(view, server, wanted))
    if len(found) == 1:
        [value] = found.values()
        return value
    candidates = ", ".join(one.description for one in list((found or known).values())[-8:])
    if found:
        raise UnknownCertificate(
            f"{reference.strip()} names {len(found)} values of {server}", hint=f"say which: {candidates}"
        )
    unread = [place_name(one.place) for one in view.replicas(server) if one.found is None]
    blind = f" ({', '.join(unread)} could not be read)" if unread else ""
    hint = f"here are: {candidates}" if known else "`mailtrust status --all` shows what stands where"
    raise UnknownCertificate(f"{server} publishes nothing named {reference.strip()}{blind}", hint=hint)


def _values(view: View, server: ServerName, wanted: str | None) -> Iterator[tuple[Fingerprint, _Value]]:
    looks = view.replicas(server)
    leaves = [one.certificate for one in view.installed(server)]
    leaves += [one.certificate for seen in looks for one in seen.found or ()]
    for leaf in leaves:
        if wanted is None or matches(wanted, leaf):
            yield leaf.fingerprint, _Value(leaf.fingerprint, describe(leaf))
    known = {leaf.fingerprint for leaf in leaves}
    for seen in looks:
        for value in seen.unparsable:
            if wanted is None or value.digest.startswith(wanted):
                said = f"{short(value.digest)} ({value.size_bytes} bytes that are no certificate)"
                yield value.digest, _Value(value.digest, said)
                known.add(value.digest)
    # Those that are gone are found by name, and not offered.
    for digest in view.withdrawals(server):
        if wanted is not None and digest.startswith(wanted) and digest not in known:
            yield digest, _Value(digest, short(digest))


def _gone(view: View, server: ServerName, digest: Fingerprint) -> datetime | None:
    """Since when it is withdrawn where we would write that; None where there is something to do."""
    looks, ours = view.replicas(server), dict(view.history.withdrawn(server))
    done = any(
        one.primary
        and (digest in one.withdrawn or (digest in ours and one.found is not None))
        and digest not in _digests(one)
        for one in looks
    )
    return view.withdrawals(server).get(digest) if done or not _may_stand(looks, digest) else None


def _may_stand(looks: tuple[ReplicaSighting, ...], digest: Fingerprint) -> bool:
    return any(one.found is None or digest in _digests(one) for one in looks)


def _digests(one: ReplicaSighting) -> frozenset[Fingerprint]:
    leaves = {published.certificate.fingerprint for published in one.found or ()}
    return frozenset(leaves | {value.digest for value in one.unparsable})
