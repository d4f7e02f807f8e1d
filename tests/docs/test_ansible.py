"""The role on the page is one: Ansible reads it, and what it writes is a configuration."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined

from mailtrust.config import load

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "ansible.md"
HOST = {
    "inventory_hostname": "mx1.example.org",
    "mailtrust_address": "192.0.2.7",
    "mailtrust_home": "ldaps://ldap1.example.org",
}


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """The page's files, by the names that stand in their first lines."""
    for name, text in re.findall(
        r"^```\w+\n# (\S+)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_ansible_takes_the_play(role: Path) -> None:
    program = Path(sys.executable).with_name("ansible-playbook")
    own = {"ANSIBLE_LOCAL_TEMP": str(role / "tmp"), "ANSIBLE_HOME": str(role / "home"), "LC_ALL": "C.UTF-8"}
    read = subprocess.run(
        [program, "--syntax-check", "-i", "mx1.example.org,", "play.yml"],
        cwd=role, capture_output=True, text=True, check=False, env={**os.environ, **own},
    )  # fmt: skip

    assert read.returncode == 0, read.stdout + read.stderr


def test_its_template_is_a_configuration(role: Path) -> None:
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(
        (role / "mailtrust.toml.j2").read_text()
    )
    file = role / "mailtrust.toml"
    file.write_text(template.render(HOST))

    config = load(file, {}, default_name=str)

    assert config.server.name == "mx1.example.org"
    assert config.directory.base == "ou=servers,dc=example,dc=org"
