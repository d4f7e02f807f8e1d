"""
Asking Postfix's own tools: `postconf` what a configuration says, `postmap` what a table holds.

They know every spelling that Postfix knows (continuation lines, braces, variables, defaults of the release),
so that nothing here has to.  Nothing is changed by asking.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.configuration import Configuration, Program

PARAMETERS = (
    "content_filter", "default_transport", "inet_interfaces", "inet_protocols", "local_transport",
    "mail_version", "mynetworks", "relay_clientcerts",
    "relay_domains_reject_code", "relay_transport", "relayhost", "reject_code",
    "sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps", "smtp_fallback_relay",
    "smtp_sasl_auth_enable", "smtp_tls_wrappermode", "smtpd_tls_wrappermode", "smtpd_upstream_proxy_protocol",
    "smtp_tls_cert_file", "smtp_tls_chain_files", "smtp_tls_fingerprint_cert_match",
    "smtp_tls_fingerprint_digest", "smtp_tls_key_file", "smtp_tls_policy_maps", "smtp_tls_security_level",
    "smtp_tls_session_cache_database", "smtpd_client_restrictions", "smtpd_data_restrictions",
    "smtpd_delay_reject", "smtpd_end_of_data_restrictions",
    "smtpd_helo_restrictions", "smtpd_recipient_restrictions", "smtpd_relay_restrictions",
    "smtpd_sasl_auth_enable", "smtpd_sender_restrictions", "smtpd_tls_CAfile", "smtpd_tls_CApath",
    "smtpd_tls_ask_ccert", "smtpd_tls_cert_file", "smtpd_tls_chain_files", "smtpd_tls_fingerprint_digest",
    "smtpd_tls_key_file", "smtpd_tls_req_ccert", "smtpd_tls_security_level", "soft_bounce", "syslog_name",
    "tls_append_default_CA", "transport_maps", "virtual_transport",
)  # fmt: skip
"""What we judge by; all else that main.cf says is not ours to read."""

_OVERRIDE = re.compile(
    r"(?P<key>.+/(?:inet|unix|unix-dgram|fifo|pass))/(?P<name>[^/ ]+) =(?: (?P<value>.*))?\Z"
)
_TIMEOUT = 30.0
_USUAL = Path("/etc/postfix")
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def its_command(folder: Path, *words: str) -> str:
    """A command of Postfix's own, as it has to be typed for that instance."""
    named = () if folder == _USUAL else ("-c", str(folder))
    return shlex.join((words[0], *named, *words[1:]))


def read(folder: Path) -> Configuration:
    """
    The instance whose configuration folder that is.

    Raises: TransportUnavailable where there is no Postfix, or it cannot read its configuration.
    """
    if not (folder / "main.cf").exists():
        raise TransportUnavailable(
            f"{folder} is not the configuration folder of a Postfix: it has no main.cf",
            hint="name it in transport.postfix, or with --instance; `postmulti -l` lists them",
        )
    overrides: dict[str, dict[str, str]] = {}
    for line in ask(folder, "postconf", "-Px").splitlines():
        if found := _OVERRIDE.match(line):
            overrides.setdefault(found["key"], {})[found["name"]] = found["value"] or ""
    services = tuple(
        Program(words[0], words[1], words[7], overrides.get(f"{words[0]}/{words[1]}", {}), port_of(words[0]))
        for line in ask(folder, "postconf", "-M").splitlines()
        if len(words := line.split(None, 8)) > 7
    )
    types = frozenset(ask(folder, "postconf", "-m").split())
    return Configuration(folder, _parameters(folder), services, types)


def service_lines(folder: Path) -> Mapping[str, str]:
    """Every service of master.cf by its key, as Postfix itself writes it.  Raises: TransportUnavailable."""
    lines = ask(folder, "postconf", "-M").splitlines()
    return {"/".join(line.split(None, 2)[:2]): " ".join(line.split()) for line in lines if line.strip()}


def rows(folder: Path, table: str) -> tuple[tuple[str, str], ...]:
    """
    What a table such as ``lmdb:/etc/postfix/transport`` holds, in no order.

    Raises: TransportUnavailable where it cannot be opened, or is of a kind that cannot be listed.
    """
    lines = ask(folder, "postmap", "-s", table).splitlines()
    return tuple((key, value.strip()) for key, _, value in (line.partition("\t") for line in lines))


def port_of(name: str) -> int | None:
    """The port of ``192.0.2.7:2525`` or ``smtp``; None where this machine does not know the name."""
    port = name.rpartition(":")[2]
    try:
        return int(port) if port.isdigit() else socket.getservbyname(port, "tcp")
    except OSError:
        return None


def ask(folder: Path, program: str, *words: str) -> str:
    """What one of Postfix's programs says about *folder*.  Raises: TransportUnavailable."""
    path = shutil.which(program, path=_PATH)
    if path is None:
        raise TransportUnavailable(
            f"Postfix is not installed here: there is no {program}", hint="run it on the host of that Postfix"
        )
    line = [path, "-c", str(folder), *words]
    try:
        done = subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransportUnavailable(f"{program} could not be asked about {folder}") from error
    complaint = next((one for one in done.stderr.splitlines() if "fatal:" in one or "error:" in one), "")
    if done.returncode or complaint:
        raise TransportUnavailable(
            f"{program} cannot read {words[-1] if program == 'postmap' else folder}: "
            f"{complaint.partition(': ')[2] or f'it exited with {done.returncode}'}"
        )
    return done.stdout


def _parameters(folder: Path) -> Mapping[str, str]:
    lines = (line.partition("=") for line in ask(folder, "postconf", "-x", *PARAMETERS).splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
