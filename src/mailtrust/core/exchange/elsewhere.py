"""What to type about what is around a server: controllers, connectors, the network, Edge subscriptions."""

from __future__ import annotations

import re

from mailtrust.core.exchange import shell
from mailtrust.core.exchange.advice import make_new
from mailtrust.core.exchange.case import Case, Standing
from mailtrust.core.exchange.facts import Connector, Controller, Direction
from mailtrust.core.exchange.judgement import Shell, Step
from mailtrust.core.exchange.shell import Expression, cmdlet
from mailtrust.core.exchange.tls_name import write_tls_name
from mailtrust.core.exchange.typed import controller, reading, step
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Said

_SET = {Direction.RECEIVE: "Set-ReceiveConnector", Direction.SEND: "Set-SendConnector"}
_PFX = r"C:\certificate.pfx"
_NAMED = Expression('"<I>$($new.Issuer)<S>$($new.Subject)"')


def pull(case: Case, behind: Standing) -> tuple[Step, ...]:
    """Bring the object to a controller that lacks it, from one that has it; nothing else is replicated."""
    source = next((one.controller for one in case.holding if one.controller.writer == _writer(case)), None)
    source = source or case.holding[0].controller
    here, there = shell.host(behind.controller.name), shell.host(source.name)
    if here is None or there is None:
        return (Step(Said("step.pull-unsafe", {"controller": behind.controller.name})),)
    values = {"controller": here, "source": there}
    name = case.server.dn
    partition = name[max(name.lower().rfind("cn=configuration,"), 0) :]
    return (
        Step(
            Said("step.pull", values),
            (f"repadmin /replsingleobj {here} {there} {shell.dn(name)}",),
            Shell.DOMAIN,
            mends=True,
        ),
        Step(
            Said("step.pull-samba", values),
            (f"samba-tool drs replicate {here} {there} {shell.dn(partition)}",),
            Shell.SAMBA,
        ),
    )


def set_name(case: Case, connector: Connector, leaf: Certificate | None) -> Step:
    """Let a connector name that certificate; None: none, so that it is chosen by the connector's FQDN."""
    name: str | Expression = Expression("$null") if leaf is None else write_tls_name(leaf)
    said = Said("step.clear-name" if leaf is None else "step.set-name", {"connector": connector.name})
    return step(case, said, _set(case, connector, name), mends=leaf is not None)


def import_public(case: Case, connectors: tuple[Connector, ...]) -> Step:
    """Install a renewed public certificate, and let those connectors name it that name one."""
    file = Expression(f"([System.IO.File]::ReadAllBytes('{_PFX}'))")
    password = Expression("(Read-Host -AsSecureString)")
    imported = reading(case, "Import-ExchangeCertificate", FileData=file, Password=password)
    enable = reading(
        case, "Enable-ExchangeCertificate", Thumbprint=Expression("$new.Thumbprint"), Services="SMTP"
    )
    named = (_set(case, one, _NAMED) for one in connectors)
    said = case.say("step.import-public", file=_PFX)
    return step(case, said, f"$new = {imported}", enable, *named, asks=Said("asks.keep"), mends=True)


def look_at_connectors(case: Case) -> Step:
    """See which Receive connector takes which addresses, and what it offers."""
    listed = reading(case, "Get-ReceiveConnector")
    shown = "Format-List Name,Enabled,Bindings,RemoteIPRanges,AuthMechanism,Fqdn,TlsCertificateName"
    return step(case, case.say("step.look-at-connectors"), f"{listed} | {shown}")


def reach(case: Case) -> tuple[Step, ...]:
    """Find out whether it is the server, or the way to it."""
    host = case.own_names[-1]
    ports = dict.fromkeys(look.endpoint.port for look in case.server.wires)
    tries = (cmdlet("Test-NetConnection", host, Port=Expression(str(port))) for port in ports)
    return (
        Step(case.say("step.reach"), tuple(tries), Shell.POWERSHELL),
        step(case, case.say("step.service-health"), reading(case, "Test-ServiceHealth")),
    )


def reach_controller(one: Controller) -> Step:
    """Find out whether it is the controller, or the way to it."""
    port = 389 if one.url.lower().startswith("ldap:") else 636
    command = cmdlet("Test-NetConnection", one.name, Port=Expression(str(port)))
    return Step(Said("step.reach-controller"), (command,), Shell.POWERSHELL)


def subscribe(case: Case, *, make_first: bool = False) -> tuple[Step, ...]:
    """
    Subscribe an Edge anew: the one way in which Active Directory learns its key.

    *make_first*: what it has now is not fit to be published.
    """
    name = case.server.name
    file = rf"C:\{name}.xml" if re.fullmatch(r"[A-Za-z0-9-]+", name) else r"C:\EdgeSubscription.xml"
    site = case.server.site or None
    hub = next((one.name for one in case.trusting), "-")
    values = {"edge": name, "file": file, "hub": hub}
    imported = cmdlet(
        "New-EdgeSubscription", FileData=Expression(f"([System.IO.File]::ReadAllBytes('{file}'))"), Site=site
    )
    return (
        *((make_new(case, case.published, old_is_lost=True),) if make_first else ()),
        Step(
            Said("step.export-subscription", values),
            (cmdlet("New-EdgeSubscription", FileName=file),),
            Shell.THERE,
            name,
            Said("asks.subscription"),
            (Said("risk.subscription", values),),
            mends=True,
        ),
        Step(Said("step.import-subscription", values), (imported,), Shell.THERE, hub, mends=True),
        Step(
            Said("step.first-edgesync", values),
            ("Start-EdgeSynchronization", "Test-EdgeSynchronization"),
            mends=True,
        ),
        Step(Said("step.delete-subscription", values), (cmdlet("Remove-Item", file),)),
    )


def _set(case: Case, connector: Connector, name: str | Expression) -> str:
    return cmdlet(
        _SET[connector.direction],
        connector.name,
        TlsCertificateName=name,
        DomainController=controller(case),
    )


def _writer(case: Case) -> str:
    newest = case.newest
    return newest.stamp.writer if newest and newest.stamp else ""
