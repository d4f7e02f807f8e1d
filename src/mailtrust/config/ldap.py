"""What a directory with LDAP cannot do without, what does not go together, and what is not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from mailtrust.config.document import Document
from mailtrust.core.model.server import is_address

_KEYS_OF = {
    "simple": ("bind_dn", "password_file", "password_keyring"),
    "external": ("client_certificate",),
    "kerberos": ("principal", "keytab"),
}


def refuse_half_an_ldap(document: Document, urls: Sequence[str]) -> None:
    """Raises: BadConfiguration where *urls*, those with LDAP, need a key that the file does not say."""
    layout, bind = document.get("directory.layout"), document.get("directory.bind")
    if isinstance(which := document.get("directory.replicas"), str) and (layout != "computer" or not urls):
        raise document.unfit(
            "directory.replicas",
            f'directory.replicas is "{which}", and only Active Directory tells of its replicas',
            hint='name them by their URLs, or set directory.layout = "computer"',
        )
    if not urls:
        return
    if layout == "standard" and not document.says("directory.base"):
        raise document.unfit(
            f"directory.{_key_of(document, urls)}",
            f"{urls[0]} speaks LDAP, and directory.base does not say where its entries stand",
            hint='set directory.base, such as "ou=mail,dc=example,dc=test"',
        )
    if layout == "computer":
        _refuse_half_an_active_directory(document, bind)
    _refuse_keys_of_others(document, bind)
    match bind:
        case "simple":
            _refuse_unless_set(document, "bind_dn")
            _refuse_unless_one_password(document)
        case "external" if not all(url.lower().startswith("ldapi:") for url in urls):
            # On a socket the kernel tells who we are.
            _refuse_unless_set(document, "client_certificate")
        case "kerberos":
            for url in urls:
                _refuse_nameless(document, url)


def _refuse_half_an_active_directory(document: Document, bind: str | None) -> None:
    if not document.says("directory.members"):
        raise document.unfit(
            "directory.layout",
            'directory.layout is "computer", and directory.members does not say whose computers count',
            hint='name the group or OU of the mail servers, such as "cn=Mail Servers,dc=example,dc=test"',
        )
    if bind is None:
        raise document.unfit(
            "directory.layout",
            "Active Directory tells nothing to nobody, and directory.bind does not say how to sign in",
            hint='set directory.bind, best "kerberos"',
        )


def _refuse_keys_of_others(document: Document, bind: str | None) -> None:
    """A password file without `bind` would sign in as nobody, and look like success."""
    for its, keys in _KEYS_OF.items():
        for key in keys:
            if its != bind and document.says(f"directory.{key}"):
                raise document.unfit(
                    f"directory.{key}",
                    f'directory.{key} belongs to directory.bind = "{its}", and bind is '
                    + (f'"{bind}"' if bind else "not set"),
                    hint=f'set directory.bind = "{its}", or leave out {key}',
                )


def _refuse_unless_set(document: Document, key: str, *others: str) -> None:
    if any(document.says(f"directory.{one}") for one in (key, *others)):
        return
    bind = document.get("directory.bind")
    raise document.unfit(
        "directory.bind",
        f'directory.bind is "{bind}", and directory.{key} is not set',
        hint=" or ".join((f"set directory.{key}", *(f"directory.{one}" for one in others))),
    )


def _refuse_unless_one_password(document: Document) -> None:
    _refuse_unless_set(document, "password_file", "password_keyring")
    if document.says("directory.password_file") and document.says("directory.password_keyring"):
        raise document.unfit(
            "directory.password_keyring",
            "directory.password_file and directory.password_keyring name two passwords for one account",
            hint="leave out one of them",
        )


def _refuse_nameless(document: Document, url: str) -> None:
    host = urlsplit(url).hostname or ""
    where = f"directory.{_key_of(document, (url,))}"
    if url.lower().startswith("ldapi:"):
        raise document.unfit(
            where,
            f"Kerberos signs in to a server by its name, and {url} has none",
            hint='on a socket of this machine use bind = "external"',
        )
    if is_address(host):
        raise document.unfit(
            where,
            f"Kerberos signs in to a server by its name, and {url} has an address",
            hint="write the name by which the realm knows it, such as ldap://dc1.example.test",
        )


def _key_of(document: Document, urls: Sequence[str]) -> str:
    return next(key for key in ("home", "primary", "replicas") if _names_ldap(document, key, urls))


def _names_ldap(document: Document, key: str, urls: Sequence[str]) -> bool:
    said = document.get(f"directory.{key}") or ()
    return any(url in urls for url in ((said,) if isinstance(said, str) else said))
