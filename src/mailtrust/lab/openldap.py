"""
The lab's OpenLDAP replicas: real slapd processes that copy from each other, through links of ours.

They are set up as `docs/directories/openldap.md` tells: TLS by an authority of their own, and an entry with
a password for each mail server, which may write its own certificates and nobody else's.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from mailtrust import clock
from mailtrust.certificates.create import new_key, self_signed
from mailtrust.core.model.server import ServerName
from mailtrust.errors import BadInput
from mailtrust.lab.authority import Authority
from mailtrust.lab.links import SlowLinks
from mailtrust.lab.ports import free_neighbours, free_ports
from mailtrust.lab.slapd import Copier, Slapd, configuration, program

_MOST = 9
_SUFFIX = "dc=example,dc=test"
_SERVERS = f"ou=servers,{_SUFFIX}"
_COPIER = f"cn=copies,{_SUFFIX}"
_RIGHTS = f"""\
access to attrs=userPassword
  by dn.exact="{_COPIER}" read
  by self write
  by anonymous auth
  by * none
access to dn.onelevel="{_SERVERS}" attrs=userCertificate,labeledURI
  by self write
  by users read
  by * none
access to *
  by users read
  by anonymous auth"""


class OpenLdapReplicas:
    """`Replicas` that are slapd processes; `open_openldap` makes and ends them."""

    kind = "slapd processes"
    every_replica_takes_writes = False
    damaged = "so is the slapd of a replica"
    repaired = "slapd comes back"

    def __init__(self, folder: Path, servers: Sequence[Slapd], links: SlowLinks) -> None:
        self._folder = folder
        self._servers = {one.ldaps: one for one in servers}
        self._links = links
        self.urls = tuple(self._servers)

    @property
    def lag(self) -> timedelta:
        """That of the links."""
        return self._links.lag

    @lag.setter
    def lag(self, lag: timedelta) -> None:
        self._links.lag = lag

    def name(self, url: str) -> str:
        """Its port, by which every screen calls a directory server on this machine."""
        return _name(self._servers[url])

    def delay(self, url: str, lag: timedelta) -> None:
        """By its links."""
        self._links.lags[self.name(url)] = lag

    def settings(self, server: ServerName) -> Mapping[str, str]:
        """Where its entry stands, and the password of its own account."""
        return {
            "base": _SERVERS,
            "ca_file": str(self._folder / "ca.pem"),
            "bind": "simple",
            "bind_dn": f"cn={server},{_SERVERS}",
            "password_file": str(_password_file(self._folder, server)),
        }

    async def cut(self, url: str) -> None:
        """Cut its links."""
        self._links.cut(self.name(url))

    async def heal(self, url: str) -> None:
        """Mend its links."""
        self._links.heal(self.name(url))

    async def damage(self, url: str) -> None:
        """Stop its slapd."""
        self._links.drop(self.name(url))
        await _to_its_end(self._servers[url].stop)

    async def repair(self, url: str) -> None:
        """Start its slapd, if it does not run."""
        await _to_its_end(self._servers[url].start)

    @asynccontextmanager
    async def restored_afterwards(self, url: str) -> AsyncIterator[None]:
        """Back it up by slapcat; bring that back by slapadd, into an empty database."""
        server = self._servers[url]
        backup = await asyncio.to_thread(server.dump)
        try:
            yield
        finally:
            await self.damage(url)
            await _to_its_end(lambda: server.reload(backup))
            await self.repair(url)

    def garbage(self, server: ServerName) -> bytes:
        """
        A certificate with an alternative name that nobody can read.

        slapd looks whether a value has the form of a certificate, and not into its extensions.
        """
        made = self_signed(new_key("p256"), server, days=365, now=clock.now()).public_bytes(Encoding.DER)
        # From a DNS name to an X.400 address (RFC 5280 section 4.2.1.6), which it is not.
        dns_name, x400_address = b"\x82", b"\xa3"
        name = bytes([len(server)]) + server.encode()
        return made.replace(dns_name + name, x400_address + name)

    async def stop(self) -> None:
        """End every server."""
        await _to_its_end(*(one.stop for one in self._servers.values()))


@asynccontextmanager
async def open_openldap(
    folder: Path, count: int, servers: Sequence[ServerName]
) -> AsyncIterator[OpenLdapReplicas]:
    """
    That many replicas, which agree, with an entry for each of *servers*; their files are below *folder*.

    Raises: DirectoryUnavailable where slapd is not installed or does not start; BadInput for too many;
    TransportUnavailable.
    """
    if count > _MOST:
        raise BadInput(f"a lab has {_MOST} OpenLDAP replicas at most", hint="mailtrust lab --replicas 3")
    program("slapd")
    top = folder / "openldap"
    top.mkdir(mode=0o700)
    links = SlowLinks()
    processes = [
        Slapd(top / str(tls_port), number, port, tls_port)
        for number, (port, tls_port) in enumerate(
            zip(free_ports(count), free_neighbours(count), strict=True), 1
        )
    ]
    replicas = OpenLdapReplicas(top, processes, links)
    try:
        await _prepare(top, processes, links, servers)
        await _to_its_end(*(one.start for one in processes))
        yield replicas
    finally:
        # First: a slapd that waits for what a slow link tells does not hear that it shall stop.
        await links.close()
        await replicas.stop()


async def _prepare(
    top: Path, processes: Sequence[Slapd], links: SlowLinks, servers: Iterable[ServerName]
) -> None:
    authority = Authority("The lab's authority", clock.now())
    certificate, key = authority.issue("the lab's directory", clock.now())
    for name, held in (("ca.pem", authority.pem), ("server.pem", certificate), ("server.key", key)):
        _write(top / name, held)
    copier = Copier(_COPIER, secrets.token_urlsafe())
    for one in processes:
        providers = {
            other.number: f"ldap://127.0.0.1:{await links.open(_name(one), _name(other), other.port)}"
            for other in processes
            if other is not one
        }
        one.configure(configuration(one, _SUFFIX, copier, providers, database=_RIGHTS))
    passwords = {server: secrets.token_urlsafe() for server in servers}
    for server, password in passwords.items():
        _write(_password_file(top, server), password.encode())
    first, *others = processes
    await _to_its_end(lambda: first.load(_tree(copier, passwords).encode()))
    for other in others:
        # The very same entries: loaded by itself, each would have others by the same names.
        shutil.copytree(first.folder / "db", other.folder / "db", dirs_exist_ok=True)


def _tree(copier: Copier, passwords: Mapping[ServerName, str]) -> str:
    accounts = "".join(
        f"""
dn: cn={server},{_SERVERS}
objectClass: device
objectClass: pkiUser
objectClass: labeledURIObject
objectClass: simpleSecurityObject
cn: {server}
userPassword: {password}
"""
        for server, password in passwords.items()
    )
    return f"""\
dn: {_SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {_SERVERS}
objectClass: organizationalUnit
ou: servers

dn: {_COPIER}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: copies
userPassword: {copier.password}
{accounts}"""


def _name(server: Slapd) -> str:
    return str(server.tls_port)


def _password_file(top: Path, server: ServerName) -> Path:
    return top / f"{server}.password"


def _write(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)


async def _to_its_end(*works: Callable[[], None]) -> None:
    """
    Do these side by side, in threads; and to the end, even if we are cancelled.

    A server that is half started could not be stopped.
    """
    doing = asyncio.gather(*(asyncio.to_thread(work) for work in works), return_exceptions=True)
    try:
        done = await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise
    for one in done:
        if one is not None:
            raise one
