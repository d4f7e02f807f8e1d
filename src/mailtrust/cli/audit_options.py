"""The options that say which Exchange organization is meant, and how it is read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mailtrust.cli.frame import given


class Bind(StrEnum):
    """How we say who we are; the words are those of directory.bind."""

    SIMPLE = "simple"
    EXTERNAL = "external"
    KERBEROS = "kerberos"


ControllerOption = Annotated[
    list[str] | None,
    given("A domain controller to begin with. Repeatable. Default: directory.home.", metavar="URL"),
]
ReplicasOption = Annotated[
    str, typer.Option(metavar="WHICH", help="in-site, all, or a list of controllers with commas.")
]
AtOption = Annotated[
    list[str] | None, given("Where a server is reached from here. Repeatable.", metavar="NAME=HOST:PORT")
]
FromOption = Annotated[
    list[Path] | None,
    given(
        "What the collector wrote on a server; alone: no directory is read. Repeatable.",
        "--from",
        metavar="FILE",
    ),
]
AuthoritiesOption = Annotated[
    Path | None, given("The authorities that vouch for the controllers.", "--ca-file", metavar="FILE")
]
BindOption = Annotated[
    Bind | None, given("How to say who we are. Default: by what else is typed, else kerberos.")
]
BindDnOption = Annotated[str | None, given("The account of a simple bind.", metavar="DN")]
PasswordFileOption = Annotated[
    Path | None, given("The file whose first line is its password.", metavar="FILE")
]
ClientCertificateOption = Annotated[
    Path | None, given("Key and certificate (PEM) of an external bind.", metavar="FILE")
]
LanguageOption = Annotated[str | None, given("en or zh. Default: by $LANG.", metavar="LANGUAGE")]
