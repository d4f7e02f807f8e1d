"""The configuration: what holds, and what is refused with the line on which it stands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.config import KEYS, Config, Key, find, load
from mailtrust.core.model.server import Endpoint
from mailtrust.errors import BadConfiguration

LDAP = '[directory]\nhome = "ldaps://dc1.example.test"\nbase = "ou=mail,dc=example,dc=test"\n'


def configuration(folder: Path, text: str) -> Path:
    file = folder / "mailtrust.toml"
    file.write_text(text)
    return file


def loaded(folder: Path, text: str) -> Config:
    return load(configuration(folder, text), {}, default_name=lambda: "hub1.example.test")


def refusal(folder: Path, text: str) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        loaded(folder, text)
    return caught.value


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    """The table of the documentation, as a command that found no file sees it."""
    config = load(None, {}, default_name=lambda: "hub1.example.test", here=tmp_path)

    assert config.server.name == "hub1.example.test"
    assert config.server.store == Path("/var/lib/mailtrust")
    assert config.server.listeners == (Endpoint("hub1.example.test", 25),)
    assert config.directory.home == "sqlite:///var/lib/mailtrust/directory.db"
    assert config.directory.replicas == (config.directory.home,)
    assert config.directory.primary == config.directory.home
    assert (config.policy.key, config.policy.days, config.policy.expires_soon) == ("rsa2048", 1825, None)
    assert config.policy.probe_timeout == timedelta(seconds=10)
    assert (config.transport.kind, config.transport.on_stale) == ("none", "keep")
    assert config.transport.maildir == Path("/var/lib/mailtrust/mail")
    assert config.transport.message_size_bytes == 50 * 1024 * 1024
    assert config.transport.queue_lifetime == timedelta(days=5)
    assert config.core_policy().latency == timedelta(minutes=15)


def test_a_byte_order_mark_is_no_part_of_the_configuration(tmp_path: Path) -> None:
    """Editors on Windows write one, and nobody sees it."""
    config = loaded(tmp_path, '\ufeff[server]\nname = "hub7.example.test"\n')

    assert config.server.name == "hub7.example.test"


def test_home_and_primary_always_belong_to_the_replicas(tmp_path: Path) -> None:
    """Whoever lists the others only would otherwise never look at home."""
    config = loaded(
        tmp_path,
        """
        [directory]
        home = "sqlite:///srv/dc3.db"
        primary = "sqlite:///srv/dc1.db"
        replicas = ["sqlite:///srv/dc1.db", "sqlite:///srv/dc2.db"]
        """,
    )

    assert config.directory.replicas == tuple(f"sqlite:///srv/dc{number}.db" for number in (3, 1, 2))


def test_four_slashes_lead_to_the_same_replica_as_three(tmp_path: Path) -> None:
    """Other programs write them so before an absolute path."""
    config = loaded(
        tmp_path,
        """
        [directory]
        home = "sqlite:////srv/dc1.db"
        replicas = ["sqlite:///srv/dc1.db", "sqlite:////srv/dc2.db"]
        """,
    )

    assert config.directory.replicas == ("sqlite:///srv/dc1.db", "sqlite:///srv/dc2.db")


def test_a_hub_enforces_and_listens_where_it_presents(tmp_path: Path) -> None:
    """The defaults of the transport depend on its kind and on the server."""
    config = loaded(
        tmp_path,
        """
        server = {listeners = ["127.0.0.1:2525"], store = "/srv/hub1"}
        transport.kind = "hub"
        transport.routes = {"b.example.test" = "127.0.0.1:2526", "*" = "[::1]:25"}
        """,
    )

    assert config.transport.mode == "enforce"
    assert config.transport.bind == (Endpoint("127.0.0.1", 2525),)
    assert config.transport.maildir == Path("/srv/hub1/mail")
    assert config.transport.routes == {
        "b.example.test": Endpoint("127.0.0.1", 2526),
        "*": Endpoint("::1", 25),
    }
    assert loaded(tmp_path, 'transport.kind = "postfix"').transport.mode == "report"


def test_no_listener_is_not_the_default_listener(tmp_path: Path) -> None:
    """[] says that there is nothing to probe."""
    assert loaded(tmp_path, "server.listeners = []").server.listeners == ()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('[server]\nnmae = "hub1.example.test"', "line 2: there is no key server.nmae", "mean server.name?"),
        ('[policy]\n\nlatency = "1m"', "line 3: there is no key policy.latency", "mean directory.latency?"),
        ("[sever]\n", "line 1: there is no table sever", "did you mean server?"),
        ('[policy]\nspread = "soon"', 'line 2: policy.spread is "soon"; expected a duration', "0s, 15m"),
        ('[policy]\nspread = "-5m"', 'line 2: policy.spread is "-5m"; expected a duration', "0s, 15m"),
        ("[policy]\nspread = 5", "line 2: policy.spread is 5; expected a duration", ""),
        ("[policy]\ndays = 0", "line 2: policy.days is 0; expected a whole number of days, 1 to 36500", ""),
        ("[policy]\ndays = true", "line 2: policy.days is True; expected a whole number", ""),
        ('[policy]\nkey = "ed25519"', 'policy.key is "ed25519"; expected one of "rsa2048"', ""),
        (
            '[policy]\nspread = "10m"',
            "line 2: policy.spread (10m) must be at least policy.snapshot_max_age (30m)",
            "raise spread",
        ),
        (
            '[policy]\nsnapshot_max_age = "2h"',
            "line 2: policy.spread (30m) must be at least policy.snapshot_max_age (2h)",
            "raise spread",
        ),
        ('[policy]\nprobe_timeout = "0s"', "line 2: policy.probe_timeout", "longer than nothing"),
        ('[server]\nstore = "store"', 'line 2: server.store is "store"; expected an absolute path', "~"),
        ('[server]\nname = "hub1"', 'server.name is "hub1"; expected a fully', "hub1.example.test"),
        ('[server]\nlisteners = ["127.0.0.1:0"]', "line 2: server.listeners", "HOST:PORT"),
        ('[transport]\nbind = ["127.0.0.1:0"]', "line 2: transport.bind", "HOST:PORT"),
        ('[server]\nlisteners = "127.0.0.1:25"', "line 2: server.listeners", ""),
        ('[directory]\nhome = "dc1.db"', 'line 2: directory.home is "dc1.db"; expected', "sqlite:///srv"),
        ('[directory]\nhome = "sqlite://dc1.db"', "line 2: directory.home", "absolute path"),
        (
            '[directory]\nhome = "ldaps://dc1.example.test"',
            "line 2: ldaps://dc1.example.test speaks LDAP, and directory.base does not say where",
            "ou=mail,dc=example,dc=test",
        ),
        ('[directory]\nbase = "example"', 'line 2: directory.base is "example"; expected a disting', ""),
        (LDAP + 'layout = "computer"', "directory.members does not say whose computers count", "group or OU"),
        (
            LDAP + 'layout = "computer"\nmembers = "cn=m"',
            "Active Directory tells nothing to nobody",
            "kerberos",
        ),
        (LDAP + 'replicas = "in-site"', "only Active Directory tells of its replicas", "computer"),
        ('[directory]\nreplicas = "all"', "line 2: directory.replicas is", "by their URLs"),
        (LDAP + 'keytab = "/etc/k"', 'belongs to directory.bind = "kerberos", and bind is not set', "leave"),
        (LDAP + 'bind = "external"\nbind_dn = "cn=a"', "line 5: directory.bind_dn belongs to", "out bind_dn"),
        (
            LDAP.replace("dc1.example.test", "192.0.2.1") + 'bind = "kerberos"',
            "line 2: Kerberos signs in to a server by its name, and ldaps://192.0.2.1 has an address",
            "ldap://dc1.example.test",
        ),
        (
            LDAP + 'bind = "kerberos"\nreplicas = ["ldap://[2001:db8::1]:389"]',
            "line 5: Kerberos signs in to a server by its name, and ldap://[2001:db8::1]:389 has an address",
            "ldap://dc1.example.test",
        ),
        (
            LDAP.replace("ldaps://dc1.example.test", "ldapi://%2Frun%2Fldapi") + 'bind = "kerberos"',
            "line 2: Kerberos signs in to a server by its name, and ldapi://%2Frun%2Fldapi has none",
            'bind = "external"',
        ),
        (LDAP + 'bind = "simple"', "line 4: directory.bind", "set directory.bind_dn"),
        (
            LDAP + 'bind = "simple"\nbind_dn = "cn=a"',
            "line 4: directory.bind",
            "or directory.password_keyring",
        ),
        (
            LDAP
            + 'bind = "simple"\nbind_dn = "cn=a"\npassword_file = "/etc/p"\npassword_keyring = "mailtrust"',
            "line 7: directory.password_file and directory.password_keyring name two passwords",
            "leave out one",
        ),
        (LDAP + 'password_keyring = "mailtrust"', "line 4: directory.password_keyring belongs to", "leave"),
        (LDAP + 'bind = "external"', "line 4: directory.bind", "set directory.client_certificate"),
        ('[directory]\nlatency = "5"', 'directory.latency is "5"; expected a duration', "auto"),
        ('[transport]\nmessage_size = "50"', 'line 2: transport.message_size is "50"; expected a size', ""),
        ('[transport]\nroutes = {"b.example.test" = "x"}', "line 2: transport.routes", "HOST:PORT"),
        ("server = 5", "line 1: server is a table of keys", "[server]"),
        ("[server]\nname\n", "line 2: this is not TOML", 'name = "value"'),
        ('[server]\nname = "a.example.test"\nname = "b.example.test"', "this is not TOML", ""),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    """The key, the line, what was expected: so that nobody has to guess at three in the morning."""
    error = refusal(tmp_path, text)

    assert str(tmp_path / "mailtrust.toml") in error.message
    assert message in error.message
    assert hint in f"{error.hint} {error.message}"


def test_a_directory_with_ldap_needs_a_base_and_its_account(tmp_path: Path) -> None:
    config = loaded(tmp_path, LDAP + 'bind = "simple"\nbind_dn = "cn=hub1"\npassword_file = "/etc/p"')

    assert config.directory.replicas == ("ldaps://dc1.example.test",)
    assert (config.directory.base, config.directory.bind_dn) == ("ou=mail,dc=example,dc=test", "cn=hub1")


def test_on_a_socket_the_kernel_tells_who_we_are(tmp_path: Path) -> None:
    config = loaded(
        tmp_path, LDAP.replace("ldaps://dc1.example.test", "ldapi://%2Frun%2Fldapi") + 'bind = "external"'
    )

    assert config.directory.client_certificate is None


def test_a_password_may_be_in_a_key_ring(tmp_path: Path) -> None:
    directory = loaded(
        tmp_path, LDAP + 'bind = "simple"\nbind_dn = "cn=hub1"\npassword_keyring = "mailtrust"'
    ).directory

    assert (directory.password_keyring, directory.password_file) == ("mailtrust", None)


def test_kerberos_needs_nothing_but_a_ticket(tmp_path: Path) -> None:
    directory = loaded(tmp_path, LDAP + 'bind = "kerberos"').directory
    with_key = loaded(
        tmp_path, LDAP + 'bind = "kerberos"\nprincipal = "HUB1$"\nkeytab = "/etc/hub1.keytab"'
    ).directory

    assert (directory.principal, directory.keytab) == ("", None)
    assert (with_key.principal, with_key.keytab) == ("HUB1$", Path("/etc/hub1.keytab"))


def test_one_bad_value_in_a_list_is_named(tmp_path: Path) -> None:
    """The cause says which of them it is."""
    error = refusal(tmp_path, '[directory]\nreplicas = ["sqlite:///srv/dc1.db", "dc2.db"]')

    assert "'dc2.db'" in str(error.__cause__)


def test_a_file_that_was_named_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Falling back to the defaults would act on another server's store."""
    missing = tmp_path / "none.toml"

    with pytest.raises(BadConfiguration, match="there is no configuration file") as caught:
        load(None, {"MAILTRUST_CONFIG": str(missing)}, default_name=lambda: "hub1.example.test")

    assert "mailtrust init" in caught.value.hint


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    """A certificate given for the configuration, say."""
    file = tmp_path / "mailtrust.toml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(BadConfiguration, match="not a text in UTF-8"):
        load(file, {}, default_name=lambda: "hub1.example.test")


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    """The operating system's reason is chained, for the command line to print."""
    with pytest.raises(BadConfiguration, match="cannot be read") as caught:
        load(tmp_path, {}, default_name=lambda: "hub1.example.test")

    assert isinstance(caught.value.__cause__, OSError)


def test_a_host_without_a_full_name_is_told_to_give_one(tmp_path: Path) -> None:
    """A certificate for a bare host name would never fit."""
    with pytest.raises(BadConfiguration, match="'hub1', which is not a fully qualified name") as caught:
        load(None, {}, default_name=lambda: "hub1", here=tmp_path)

    assert "server.name" in caught.value.hint


def test_the_file_of_the_option_wins_then_the_environment_then_the_folder(tmp_path: Path) -> None:
    """The order of the documentation."""
    here = configuration(tmp_path, "")
    option, variable = tmp_path / "option.toml", tmp_path / "variable.toml"

    assert find(option, {"MAILTRUST_CONFIG": str(variable)}, tmp_path) == option
    assert find(None, {"MAILTRUST_CONFIG": str(variable)}, tmp_path) == variable
    assert find(None, {}, tmp_path) == here


COMPANIONS = {
    "log.socket": 'log.to = "journald"',
    "notify.mail_to": 'notify.smarthost = "submission.example.test:587"',
}
"""What a key means nothing without."""


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_default_and_example_is_taken_by_its_own_key(tmp_path: Path, key: Key) -> None:
    """`init` writes them into the annotated file, so they must be what the loader reads."""
    literal = key.example or key.default
    companion = COMPANIONS.get(key.path, "")

    config = loaded(tmp_path, f"{key.path} = {literal}\n{companion}")

    assert config.file == tmp_path / "mailtrust.toml"


def test_active_directory_finds_its_controllers_itself_unless_they_are_named(tmp_path: Path) -> None:
    text = LDAP.replace('base = "ou=mail,dc=example,dc=test"\n', "") + (
        'layout = "computer"\nmembers = "cn=Mail Servers,dc=example,dc=test"\nbind = "kerberos"\n'
    )
    named = text + 'replicas = ["ldaps://dc2.example.test"]'

    found = loaded(tmp_path, text).directory
    everywhere = loaded(tmp_path, text + 'replicas = "all"').directory

    assert (found.which, found.replicas, found.latency) == ("in-site", ("ldaps://dc1.example.test",), None)
    assert everywhere.which == "all"
    assert loaded(tmp_path, named).directory.which == "named"


def test_the_agent_does_nothing_unasked_but_look_and_rotate(tmp_path: Path) -> None:
    """What makes or unites something for the first time is somebody's decision."""
    agent = loaded(tmp_path, "").agent

    assert (agent.enrol, agent.replicate, agent.hub) == (False, False, False)
    assert agent.every == timedelta(seconds=30)
    assert loaded(tmp_path, "").core_policy().rotates_when_due
    assert not loaded(tmp_path, '[policy]\nrotate = "manual"\n').core_policy().rotates_when_due


def test_an_agent_cannot_run_a_hub_that_is_none(tmp_path: Path) -> None:
    error = refusal(tmp_path, "[agent]\nhub = true\n")

    assert "line 2: agent.hub is true" in error.message
    assert refusal(tmp_path, "[agent]\nhub = 1\n").message.endswith("agent.hub is 1; expected true or false")
