"""
A real Active Directory forest: the domain corp.example with two controllers that replicate to each other.

    with restored(build.snapshot()) as corp:
        corp.dc2.freeze()
        async with await corp.wire("HUB1$", corp.dc1) as wire: ...

It needs a network of its own: see fixtures.py, and tools/in_own_network.sh.  What stands in it is in
accounts.ldif, sites.ldif and exchange.ldif; Exchange servers are the tests' own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_wire import Wire
from tests.samba.controller import BASE, BRANCH, CONFIGURATION, REALM, Controller, found, run

PATIENCE = timedelta(seconds=20)
PASSWORD = "Open-Sesame-1"
"""Everybody's, for ever."""
ADMINISTRATOR, READER, PUBLISHER = "Administrator", "reader", "publisher"

MAIL_SERVERS = f"OU=Mail Servers,{BASE}"
"""The computers HUB1, HUB2 and HUB3, and HUB4 one level below; HUB9 is elsewhere."""
MEMBERS = f"CN=Mail Servers,OU=Groups,{BASE}"
"""The group of HUB1, HUB2, HUB3, and of HUB4 by another group; HUB9 belongs to nothing."""
HUB1, HUB2, HUB3 = (f"CN=HUB{number},{MAIL_SERVERS}" for number in (1, 2, 3))
HUB4 = f"CN=HUB4,OU=Branch,{MAIL_SERVERS}"
HUB9 = f"CN=HUB9,CN=Computers,{BASE}"

ORGANIZATION = f"CN=Corp,CN=Microsoft Exchange,CN=Services,{CONFIGURATION}"
ADMIN_GROUP = f"CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,{ORGANIZATION}"
EXCHANGE_SERVERS = f"CN=Servers,{ADMIN_GROUP}"
SEND_CONNECTORS = (
    f"CN=Connections,CN=Exchange Routing Group (DWBGZMFD01QNBJR),CN=Routing Groups,{ADMIN_GROUP}"
)


@dataclass(frozen=True)
class Forest:
    """Both controllers, and how one signs in."""

    dc1: Controller
    dc2: Controller
    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Forest:
        """Whatever is there, running or not."""
        dc1, dc2 = (Controller(f"dc{n}", f"127.0.0.1{n}", folder / f"dc{n}") for n in (1, 2))
        return cls(dc1, dc2, folder)

    @property
    def controllers(self) -> tuple[Controller, Controller]:
        return self.dc1, self.dc2

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def start(self) -> None:
        for one in self.controllers:
            one.begin()
        for one in self.controllers:
            one.until_it_answers()

    def stop(self) -> None:
        for one in self.controllers:
            one.stop()

    async def wire(
        self, account: str = READER, at: Controller | None = None, timeout: timedelta = PATIENCE
    ) -> Wire:
        """A connection on which the account is signed in, by default with the first controller."""
        url, credentials = (at or self.dc1).url, self.password(account)
        return await Wire.open(url, credentials=credentials, ca_file=self.ca_file, timeout=timeout)

    def password(self, account: str) -> Password:
        """The credentials of a user, or of a computer: ``HUB1$``."""
        file = self.folder / "password"
        file.write_text(PASSWORD)
        file.chmod(0o600)
        return Password(f"{account}@{REALM.lower()}", file)

    def ticket(self, account: str) -> Path:
        """A file with a Kerberos ticket of the account's, as KRB5CCNAME may name."""
        file = self.folder / f"ticket-{account}"
        run(found("kinit"), "-c", str(file), f"{account}@{REALM}", said=f"{PASSWORD}\n")
        return file

    def keytab(self, account: str) -> Path:
        """A file with the account's Kerberos keys, as KRB5_CLIENT_KTNAME may name."""
        file = self.folder / f"keytab-{account}"
        self.tool("domain", "exportkeytab", str(file), f"--principal={account}@{REALM}")
        return file

    def replicate(self, into: Controller, out_of: Controller, naming_context: str = BASE) -> None:
        """Bring what is new in one naming context, now.  Refused where *into* is paused."""
        account = f"--user={ADMINISTRATOR}%{PASSWORD}"
        words = ("drs", "replicate", into.host, out_of.host, naming_context, account)
        try:
            self.tool(*words)
        except AssertionError as error:
            # What *into* had kept open was closed meanwhile; it opens another when it is asked again.
            if "WERR_NETNAME_DELETED" not in str(error):
                raise
            self.tool(*words)

    def pretend(self, name: str, *, read_only: bool = False) -> None:
        """Let the directory say that a controller stands in the branch, where nothing answers: ``dc3``."""
        server = f"CN={name.upper()},CN=Servers,{BRANCH}"
        ldif = f"""\
dn: {server}
objectClass: server
dNSHostName: {name}.{REALM.lower()}

dn: CN=NTDS Settings,{server}
objectClass: {"nTDSDSARO" if read_only else "nTDSDSA"}
invocationId: {uuid4()}
options: 1
"""
        self.dc1.edit(ldif, adding=True)
        self.replicate(self.dc2, self.dc1, CONFIGURATION)

    def tool(self, *arguments: str) -> str:
        """What samba-tool says, run as if on the first controller."""
        return run(found("samba-tool"), *arguments, f"--configfile={self.dc1.configuration}")


@contextmanager
def restored(snapshot: Path) -> Iterator[Forest]:
    """
    A forest of one's own as *snapshot* holds it, running; stopped and gone in the end.

    Always both controllers: one alone would forget what the other knows that it said.
    """
    # Not pytest's own folder: the path of a socket may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="mt-forest-"))
    try:
        shutil.copytree(snapshot, folder, dirs_exist_ok=True)
        forest = Forest.at(folder)
        for one in forest.controllers:
            one.configure()
        try:
            forest.start()
            yield forest
        finally:
            forest.stop()
    finally:
        shutil.rmtree(folder)
