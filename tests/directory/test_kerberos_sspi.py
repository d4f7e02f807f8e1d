"""
The adapter for Windows, on what pyspnego has everywhere: NTLM in pure Python, against its own server's end.

Windows' own Kerberos is not here; what is judged is that the calls are right: steps, wrapping, bindings.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import spnego
from spnego.channel_bindings import GssChannelBindings

from mailtrust.directory.kerberos import Account, KerberosFailed, Target, Trouble
from mailtrust.directory.kerberos_sspi import Context, begin, bound, wanted
from mailtrust.directory.ldap_kerberos import Sealed
from mailtrust.errors import BadInput, NotLdap
from mailtrust.ldap.sasl import framed

BINDING = b"tls-server-end-point:" + bytes(32)
ANYWHERE = Target("dc1.example.test")


@pytest.fixture(autouse=True)
def _accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "accounts").write_text("EXAMPLE:hub1:sesame\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(tmp_path / "accounts"))


def ours(target: Target = ANYWHERE, password: str = "sesame") -> Context:
    return Context(
        spnego.client(
            "EXAMPLE\\hub1",
            password,
            hostname=target.host,
            service="ldap",
            protocol="ntlm",
            options=spnego.NegotiateOptions.use_ntlm,
            context_req=wanted(target),
            channel_bindings=bound(target),
        )
    )


def theirs(binding: bytes = b"") -> Context:
    bindings = GssChannelBindings(application_data=binding) if binding else None
    return Context(
        spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm, channel_bindings=bindings)
    )


def introduce(client: Context, server: Context) -> None:
    token = client.step(b"")
    while not (client.complete and server.complete):
        token = server.step(token)
        if not client.complete:
            token = client.step(token)


def both(target: Target = ANYWHERE) -> tuple[Context, Context]:
    client, server = ours(target), theirs()
    introduce(client, server)
    return client, server


def test_both_ends_know_each_other_in_the_end() -> None:
    client, server = both()

    assert (client.complete, server.complete) == (True, True)


def test_a_context_that_does_not_prove_the_server_does_not_count_as_sealed() -> None:
    """NTLM proves the client alone; Kerberos is asked for both, and has to have agreed."""
    client, _ = both()

    assert not client.seals


def test_what_one_end_wraps_the_other_unwraps() -> None:
    client, server = both()

    assert server.unwrap(client.wrap(b"question", encrypt=True)) == (b"question", True)
    assert client.unwrap(server.wrap(b"answer", encrypt=True)) == (b"answer", True)


@pytest.mark.parametrize("size", [1000, 65536])
def test_what_there_is_room_for_fits(size: int) -> None:
    client, _ = both()
    room = client.room(size)

    assert size - 100 < room
    assert len(client.wrap(bytes(room), encrypt=True)) <= size
    assert client.room(10) == 0


def test_a_layer_carries_requests_and_answers_of_any_length() -> None:
    client, server = both()
    layer, other = Sealed(client, 1000), Sealed(server, 65536)
    question, answer = bytes(range(256)) * 40, b"answer" * 10_000

    asked = layer.wrap(question)
    told = other.wrap(answer)

    assert other.unwrap(asked) == question
    assert b"".join(layer.unwrap(told[start : start + 777]) for start in range(0, len(told), 777)) == answer
    assert len(asked) > len(question) + 10 * 4
    assert question[:100] not in asked


def test_what_was_changed_on_the_way_ends_a_layer() -> None:
    client, server = both()
    wrapped = server.wrap(b"answer", encrypt=True)

    with pytest.raises(NotLdap, match="sent what cannot be decrypted"):
        Sealed(client, 1000).unwrap(framed(wrapped[:-1] + bytes((wrapped[-1] ^ 1,))))


def test_a_binding_to_the_same_connection_is_accepted() -> None:
    introduce(ours(Target("dc1.example.test", BINDING)), theirs(BINDING))


def test_a_binding_to_another_connection_is_refused() -> None:
    with pytest.raises(KerberosFailed, match="channel bindings"):
        introduce(ours(Target("dc1.example.test", BINDING)), theirs(BINDING[:-1] + b"\x01"))


def test_a_wrong_password_is_a_failure_of_ours_not_of_the_library() -> None:
    with pytest.raises(KerberosFailed) as caught:
        introduce(ours(password="tahini"), theirs())

    assert caught.value.trouble is Trouble.OTHER
    assert "tahini" not in caught.value.words


def test_what_is_asked_for_before_the_end_is_a_failure() -> None:
    with pytest.raises(KerberosFailed):
        ours().wrap(b"too early", encrypt=True)
    with pytest.raises(KerberosFailed):
        ours().room(1000)


def test_on_windows_there_is_no_other_account_than_ones_own() -> None:
    with pytest.raises(BadInput, match="as the account that mailtrust runs as") as caught:
        begin(ANYWHERE, Account("HUB1$", Path("/etc/hub1.keytab")))

    assert "leave out" in caught.value.hint


class _Windows(OSError):
    """What Windows raises: an error with a number of its own."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(22, words)
        self.winerror = number


class _Failing:
    """A library that raises what Windows would."""

    complete = False

    def __init__(self, error: Exception) -> None:
        self._error = error

    def step(self, token: bytes | None) -> bytes:
        raise self._error


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (-2146893053, Trouble.UNKNOWN_SERVICE),
        (-2146893042, Trouble.NO_TICKET),
        (-2146893039, Trouble.NO_KDC),
        (-2146893020, Trouble.CLOCKS),
        (-1, Trouble.OTHER),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_the_numbers_of_windows_have_names_here(number: int, trouble: Trouble, wrapped: bool) -> None:
    native = _Windows(number, "The system's own words")
    error = spnego.exceptions.SpnegoError(base_error=native) if wrapped else native

    with pytest.raises(KerberosFailed, match="own words") as caught:
        Context(_Failing(error)).step(b"")  # type: ignore[arg-type]

    assert caught.value.trouble is trouble
