"""`mailtrust postfix setup`: a listener and a transport of our own, in master.cf and nowhere else."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from mailtrust.cli.frame import DryRunOption, JsonOption, Session, YesOption, confirm, session
from mailtrust.cli.output import caution, emit, say
from mailtrust.cli.postfix_instance import (
    InstanceOption,
    current_of,
    folder_of,
    our_options,
    places_of,
)
from mailtrust.config import Config
from mailtrust.errors import BadConfiguration, TransportUnavailable
from mailtrust.transports.postfix import postconf
from mailtrust.transports.postfix.block import written
from mailtrust.transports.postfix.change import (
    Change,
    apply,
    is_for_this_host_alone,
    planned,
    refuse_deaf,
    refuse_old,
)
from mailtrust.transports.postfix.configuration import Configuration
from mailtrust.transports.postfix.ours import HUB, Wanted, all_wanted

SETUP_SCHEMA = "mailtrust.postfix-setup/1"
EXAMPLE = "Example: mailtrust postfix setup --dry-run"


def setup(
    context: typer.Context,
    *,
    instance: InstanceOption = None,
    print_only: Annotated[
        bool,
        typer.Option("--print", help="Write the lines for master.cf to standard output, and change nothing."),
    ] = False,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Give Postfix a listener and a transport for peers.

    Adds marked lines to master.cf, and shows them first; main.cf, port 25 and
    submission stay as they are. Postfix is not reloaded.
    """
    here = session(context)
    config = here.config()
    folder = folder_of(config, instance)
    _refuse_nowhere(config)
    if print_only:
        _print(config, folder, json_output=json_output)
        return
    seen = postconf.read(folder)
    if config.transport.kind != "postfix":
        caution(f'transport.kind is "{config.transport.kind}": set it to "postfix"')
    refuse_old(seen)
    if "lmdb" not in seen.table_types:
        caution("this Postfix cannot open lmdb tables yet; on Debian: apt install postfix-lmdb")
    services = _services(config, seen.parameters.get("syslog_name", ""))
    change = planned(seen, services)
    steps = tuple(_steps(here, config, seen))
    if not change.needed or dry_run:
        _tell(change, steps, json_output=json_output, done=False)
        return
    refuse_deaf(seen, config.server.listeners)
    for endpoint in config.server.listeners:
        if is_for_this_host_alone(endpoint):
            caution(f"{endpoint} is an address of loopback: no other host can come there")
    if not json_output:
        say(change.diff().rstrip("\n"))
    confirm(f"Write this to {change.file}?", yes=yes)
    apply(change, seen)
    _tell(change, steps, json_output=json_output, done=True)


def _refuse_nowhere(config: Config) -> None:
    if not config.server.listeners:
        raise BadConfiguration(
            "server.listeners is empty: there is nowhere for peers to come to",
            hint='name an inner address and a port, such as listeners = ["192.0.2.7:2525"]',
        )


def _services(config: Config, log_name: str) -> tuple[Wanted, ...]:
    return all_wanted(config.server.listeners, places_of(config), log_name or "postfix")


def _print(config: Config, folder: Path, *, json_output: bool) -> None:
    """What configuration management distributes: it needs no Postfix on this host."""
    try:
        log_name = postconf.read(folder).parameters.get("syslog_name", "")
    except TransportUnavailable:
        log_name = ""
    lines, routes = written(_services(config, log_name)), list(_routes(config))
    if json_output:
        emit({"schema": SETUP_SCHEMA, "master_cf": lines, "transport": routes})
        return
    say("# master.cf")
    say(lines.rstrip("\n"))
    say("# transport_maps, a line for each domain that goes there:")
    say("\n".join(f"#   {line}" for line in routes))


def _routes(config: Config) -> tuple[str, ...]:
    hops = config.transport.next_hops or {"[HOST]:PORT": ()}
    return tuple(f"DOMAIN {HUB}:{hop}" for hop in hops)


def _steps(here: Session, config: Config, instance: Configuration) -> tuple[tuple[str, str], ...]:
    """What comes next, and what to type for it."""
    options = our_options(config, instance.folder)
    maps = instance.parameters.get("transport_maps", "") or "a table that transport_maps in main.cf names"
    return (
        ("write the tables", here.command("postfix", "compile")),
        *_to_present(here, config),
        ("let Postfix read master.cf", postconf.its_command(instance.folder, "postfix", "reload")),
        ("see that all is well", here.command("postfix", "check", *options)),
        *((f"let mail go that way, by a line for each domain in {maps}", line) for line in _routes(config)),
    )


def _to_present(here: Session, config: Config) -> Iterator[tuple[str, str]]:
    """What is to be done where Postfix has no key yet."""
    chain = places_of(config).chain
    with suppress(OSError):
        if chain.exists():
            return
    current = current_of(config)
    if not current:
        yield "make a certificate, and publish it as that says", here.command("new")
    named = ("export", current or "CERTIFICATE", "--with-key", "--output", str(chain))
    yield "put key and certificate where Postfix presents them from", here.command(*named)


def _tell(change: Change, steps: tuple[tuple[str, str], ...], *, json_output: bool, done: bool) -> None:
    if json_output:
        emit({
            "schema": SETUP_SCHEMA, "file": str(change.file), "changed": done, "needed": change.needed,
            "diff": change.diff(), "next": [{"what": what, "type": typed} for what, typed in steps],
        })  # fmt: skip
        return
    if not change.needed:
        say(f"nothing to change: {change.file} has the listener and the transport for peers")
        return
    if not done:
        say(change.diff().rstrip("\n"))
        say(f"would write this to {change.file}")
        return
    say(f"wrote {change.file}; Postfix goes on as before until it is reloaded", "green")
    for number, (what, typed) in enumerate(steps):
        say(f"{'next' if number == 0 else 'then'}: {what}")
        say(f"  {typed}")
