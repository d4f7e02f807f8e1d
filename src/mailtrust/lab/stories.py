"""The stories that the lab can play; each ends clean, or fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from mailtrust.core.model.certificate import short
from mailtrust.lab.stage import Stage, StoryFailed


@dataclass(frozen=True, slots=True)
class Story:
    """One thing that goes wrong, and how it is mended."""

    name: str
    title: str
    play: Callable[[Stage], Awaitable[None]]
    lag: timedelta = timedelta(seconds=2)
    latency: timedelta = timedelta(minutes=15)


async def missing_in_the_directory(stage: Stage) -> None:
    """12012 by each of its causes, one after the other."""
    stage.tell(
        "12012 says: the certificate that a server has installed is not the one that the directory "
        "publishes for it, so its peers will not believe it. There are four ways to get there."
    )
    await _not_enabled(stage)
    await _no_certificate(stage)
    await _not_written(stage)
    await _overdue(stage)


async def _not_enabled(stage: Stage) -> None:
    hub1 = stage.organization.members[0]
    stage.tell("12012, cause 1: not-enabled. A new certificate is installed on hub1, and nobody enables it.")
    await stage.must(hub1, "new")
    await stage.expect(hub1, 12012, "not-enabled")
    stage.tell("The mending: what check said is to be done.")
    await stage.mend(hub1)


async def _no_certificate(stage: Stage) -> None:
    hub2 = stage.organization.members[1]
    stage.tell("12012, cause 2: no-certificate. The disk of hub2 was replaced, its certificates are gone.")
    stage.organization.lose_certificates(hub2)
    await stage.expect(hub2, 12012, "no-certificate")
    stage.tell("The mending: a new certificate, published; the lost one is withdrawn.")
    await stage.mend(hub2)


async def _not_written(stage: Stage) -> None:
    organization = stage.organization
    hub3, primary = organization.members[2], organization.replicas.urls[0]
    stage.tell(
        "12012, cause 3: not-written. hub3 enables a new certificate, and then the primary replica, "
        "where that was written, comes back from an older backup."
    )
    await organization.cut_all()
    async with organization.replicas.restored_afterwards(primary):
        await stage.renew(hub3)
    await organization.heal_all()
    await stage.expect(hub3, 12012, "not-written")
    stage.tell("The mending: enable it again.")
    await stage.mend(hub3)


async def _overdue(stage: Stage) -> None:
    organization, replicas = stage.organization, stage.organization.replicas
    hub2, home = organization.members[1], replicas.urls[1]
    stage.tell(
        "12012, cause 4: overdue. hub2 enables a new certificate, and the link to its home, "
        "the replica that it reads, is cut."
    )
    await replicas.cut(home)
    await stage.renew(hub2)
    await stage.expect(hub2, 12012, "overdue", within=organization.latency + timedelta(seconds=30))
    if replicas.every_replica_takes_writes:
        stage.tell("The mending: publish the same certificate at home as well.")
        await stage.mend(hub2)
        await replicas.heal(home)
        return
    stage.tell(
        "The mending: these replicas copy from each other by themselves, so it is the link that has to be "
        "mended, by whoever looks after the directory. Then enabling is finished as always."
    )
    await replicas.heal(home)
    await stage.gone(hub2, 12012)
    await stage.mend(hub2)


async def replicating(stage: Stage) -> None:
    """12101 while it is on its way, then quiet."""
    hub1 = stage.organization.members[0]
    stage.tell("hub1 publishes a new certificate; the other replicas get it a little later.")
    await stage.renew(hub1)
    await stage.expect(hub1, 12101)
    stage.tell("Waiting is all there is to do.")
    await stage.mend(hub1)


async def stale_process(stage: Stage) -> None:
    """12105: the process still serves the old file."""
    organization = stage.organization
    hub2 = organization.members[1]
    stage.tell("The process of hub2 does not notice that its certificate was changed.")
    await organization.freeze(hub2)
    await stage.renew(hub2, "--wait")
    await stage.expect(hub2, 12105, "stale-process")
    stage.tell("The mending: restart it.")
    await organization.restart(hub2)
    await stage.clean(hub2)


async def restored_image(stage: Stage) -> None:
    """12104: the host came back from an image, and its store with it."""
    organization = stage.organization
    hub2 = organization.members[1]
    old = hub2.site.store.current()
    if old is None:
        raise StoryFailed(f"{hub2.name} has no current certificate to begin with")
    stage.tell("An image of hub2 is taken. Later it gets a new certificate, and the old one is withdrawn.")
    async with organization.restored_afterwards(hub2):
        await stage.renew(hub2, "--wait")
        await stage.must(hub2, "withdraw", short(old.certificate.fingerprint), "--yes")
        stage.tell("Then its disk fails, and the host is restored from the image.")
    await stage.expect(hub2, 12104, "restored-image")
    stage.tell(
        "A restart would bring nothing, and what was withdrawn never returns. The mending: a new one; "
        "the one whose key was lost is withdrawn."
    )
    await stage.mend(hub2)


async def stranger(stage: Stage) -> None:
    """12106: beside ours, a key that is not this server's stands on its entry."""
    organization = stage.organization
    hub1 = organization.members[0]
    stage.tell("Somebody publishes a key of their own under the name of hub1.")
    file = organization.strangers_certificate(hub1.name)
    await stage.must(hub1, "directory", "put", hub1.name, file, "--yes")
    await stage.expect(hub1, 12106)
    stage.tell("The mending: withdraw it for good.")
    await stage.mend(hub1)


async def corrupted(stage: Stage) -> None:
    """12022: a published value does not parse, and costs that value only."""
    organization = stage.organization
    hub1, hub2 = organization.members[:2]
    stage.tell("A value that is no certificate is written to the entry of hub1.")
    file = organization.garbage(hub1.name)
    await stage.must(hub1, "directory", "put", hub1.name, file, "--yes")
    await stage.expect(hub1, 12022)
    stage.tell("hub2 notices nothing of it.")
    await stage.clean(hub2)
    stage.tell("The mending: take the value out.")
    await stage.mend(hub1)


async def unreachable(stage: Stage) -> None:
    """12103 and 12116: could not look is never not there."""
    organization, replicas = stage.organization, stage.organization.replicas
    hub1, hub3, replica = organization.members[0], organization.members[2], replicas.urls[1]
    stage.tell(f"hub3 is stopped, and {replicas.damaged}.")
    await organization.stop_server(hub3)
    await replicas.damage(replica)
    await stage.expect(hub1, 12116, everybody=True)
    await stage.expect(hub1, 12103, everybody=True)
    stage.tell("Mail for hub3 waits at hub1. Why, and whose job is it?")
    await stage.must(hub1, "why", hub3.name)
    stage.tell(f"The mending: {replicas.repaired}, and hub3 is started.")
    await replicas.repair(replica)
    await organization.restart(hub3)
    await stage.clean(hub1)


async def second_enable(stage: Stage) -> None:
    """A new certificate while mail flows: `--wait` defers nothing; `--now` says who will defer."""
    organization = stage.organization
    hub1, hub2 = organization.members[:2]
    before = await organization.mail.counts()
    stage.tell(
        f"hub1 enables a new certificate and waits for replicas that lag {organization.lag.seconds} s."
    )
    await stage.renew(hub1, "--wait")
    await stage.clean(hub1)
    deferred = (await organization.mail.counts()).deferred - before.deferred
    if deferred:
        raise StoryFailed(
            f"{deferred} messages were deferred while a new certificate was enabled with --wait"
        )
    stage.tell("Deferred meanwhile: none.")
    stage.tell("hub2 switches at once, with --now.")
    await stage.renew(hub2, "--now")
    await stage.mend(hub2)
    counted = await organization.mail.counts()
    stage.tell(f"Deferred in all: {counted.deferred}; nothing is lost, the senders try again.")


STORIES: Mapping[str, Story] = {
    story.name: story
    for story in (
        Story("12012", "Event 12012, cause by cause", missing_in_the_directory, latency=timedelta(seconds=8)),
        Story("replicating", "On its way, then quiet", replicating, lag=timedelta(seconds=4)),
        Story("stale-process", "A process that serves the old file", stale_process),
        Story("restored-image", "A host that was restored from an image", restored_image),
        Story("stranger", "A stranger's key on our entry", stranger),
        Story("corrupted", "A value that is no certificate", corrupted),
        Story("unreachable", "A server and a replica that do not answer", unreachable),
        Story("second-enable", "A second certificate under load", second_enable, lag=timedelta(seconds=30)),
    )
}
