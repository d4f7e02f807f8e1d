"""What a directory with LDAP cannot do without, and what this release does not know yet."""

from __future__ import annotations

from collections.abc import Sequence

from mailtrust.config.document import Document

_BIND_NEEDS = {
    "simple": ("bind_dn", "password_file"),
    "external": ("client_certificate",),
}


def refuse_half_an_ldap(document: Document, urls: Sequence[str]) -> None:
    """Raises: BadConfiguration where *urls*, those with LDAP, need a key that the file does not say."""
    if not urls:
        return
    where = next(key for key in ("home", "primary", "replicas") if _names_ldap(document, key, urls))
    if not document.says("directory.base"):
        raise document.unfit(
            f"directory.{where}",
            f"{urls[0]} speaks LDAP, and directory.base does not say where its entries stand",
            hint='set directory.base, such as "ou=mail,dc=example,dc=test"',
        )
    for key, known in (("layout", ("standard",)), ("bind", (None, *_BIND_NEEDS))):
        if (said := document.get(f"directory.{key}")) not in known:
            raise document.unfit(
                f"directory.{key}",
                f'directory.{key} is "{said}", which this release does not do yet',
                hint=f"it knows {' and '.join(one for one in known if one)}",
            )
    bind = document.get("directory.bind")
    on_sockets = all(url.lower().startswith("ldapi:") for url in urls)
    for needed in _BIND_NEEDS.get(bind or "", ()):
        # On a socket the kernel tells who we are.
        if not document.says(f"directory.{needed}") and not (bind == "external" and on_sockets):
            raise document.unfit(
                "directory.bind",
                f'directory.bind is "{bind}", and directory.{needed} is not set',
                hint=f"set directory.{needed}",
            )


def _names_ldap(document: Document, key: str, urls: Sequence[str]) -> bool:
    said = document.get(f"directory.{key}") or ()
    return any(url in urls for url in ((said,) if isinstance(said, str) else said))
