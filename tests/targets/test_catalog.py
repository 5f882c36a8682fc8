"""The word on the command line: what it names, and what is wrong with it in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deadheat.drive.wire.address import address_of
from deadheat.errors import RemoteRefused, UnknownTarget
from deadheat.model.promises import ListPromise
from deadheat.model.release import Via
from deadheat.targets.catalog import KINDS, resolve
from deadheat.targets.opencode import releases as opencode

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_in_both_forms() -> None:
    racy, correct = resolve("demo"), resolve("demo:correct")
    assert (racy.name, correct.name) == ("demo", "demo:correct")
    assert racy.launch is not None
    assert correct.launch is not None
    assert "--correct" not in racy.launch.argv
    assert "--correct" in correct.launch.argv


@pytest.mark.parametrize(
    "word",
    ["", "nonsense", "demo:wrong", "opencode@", "opencode@../x", "opencode@1;x", "@1", "claude@1"],
)
def test_a_word_that_names_nothing(word: str) -> None:
    with pytest.raises(UnknownTarget, match="deadheat targets"):
        resolve(word)


@pytest.mark.parametrize("url", ["http://127.0.0.1:4096", "http://localhost:1/", "http://[::1]:9"])
def test_an_address_on_this_machine(url: str) -> None:
    target = resolve(url, profile="opencode")
    assert target.base_url == url.rstrip("/")
    assert target.name == target.base_url
    assert target.launch is None
    assert not target.exclusive
    assert target.promises.list is ListPromise.PER_SESSION  # unknown version: the weaker promise


def test_a_password_is_used_and_never_named() -> None:
    target = resolve("http://opencode:s3cret@127.0.0.1:4096", profile="opencode")
    assert target.name == "http://127.0.0.1:4096"
    assert target.base_url == "http://opencode:s3cret@127.0.0.1:4096"
    with pytest.raises(UnknownTarget) as caught:
        resolve("http://opencode:s3cret@127.0.0.1:4096")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "profile", "word"),
    [
        ("http://127.0.0.1:4096", None, "--profile opencode"),
        ("http://127.0.0.1:4096", "other", "no profile"),
        ("http+unix://run%2Fsock", "opencode", "%2F"),
        ("ftp://127.0.0.1", "opencode", "no scheme of"),
        ("http://", "opencode", "no host"),
        ("http://127.0.0.1:99999", "opencode", "not a URL"),
        ("http://127.0.0.1:x", "opencode", "not a URL"),
        ("http://127.0.0.1:0", "opencode", "not a server's address"),
        ("http://[::1", "opencode", "not a URL"),
        ("http://127.0.0.1:1/?x=1", "opencode", "not a server's address"),
        ("http://127.0.0.1 :1", "opencode", ""),
        ("demo", "opencode", "goes with a URL"),
    ],
)
def test_a_bad_address(url: str, profile: str | None, word: str) -> None:
    with pytest.raises(UnknownTarget) as caught:
        resolve(url, profile=profile)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["example.org", "192.168.0.1", "0.0.0.0", "127.0.0.1.example.org", "localhost.example"]
)
def test_another_machine_needs_the_flag(host: str) -> None:
    with pytest.raises(RemoteRefused, match="--allow-remote"):
        resolve(f"http://{host}:80", profile="opencode")
    assert resolve(f"http://{host}:80", profile="opencode", allow_remote=True).base_url


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.9.8.7", "127.1", "2130706433", "0x7f.1", "[::1]"),
        *("[::ffff:127.0.0.1]", "localhost", "localhost.", "LOCALHOST"),
    ],
)
def test_this_machine_needs_none_however_it_is_spelt(host: str) -> None:
    assert resolve(f"http://{host}:80", profile="opencode").base_url


@pytest.mark.parametrize(
    "host", ["10.1", "[::ffff:10.0.0.1]", "127.0.0.1.", "127.a", "1270", "cafe", "[::2]"]
)
def test_what_only_looks_like_this_machine_needs_the_flag(host: str) -> None:
    with pytest.raises(RemoteRefused):
        resolve(f"http://{host}:80", profile="opencode")


def test_every_kind_has_an_example_of_itself() -> None:
    for word, meaning, command in KINDS:
        assert meaning
        assert command.startswith("deadheat run ")
        named = word.split("@")[0].lower().removeprefix("file").removesuffix(":class")
        assert named in command.lower() or word == "URL"


@pytest.mark.parametrize(
    ("version", "promise"),
    [
        (None, ListPromise.PER_SESSION),
        ("", ListPromise.PER_SESSION),
        ("latest", ListPromise.PER_SESSION),
        ("1.0.152", ListPromise.PER_SESSION),
        ("1.1.65", ListPromise.PER_SESSION),
        ("1.2.0", ListPromise.SNAPSHOT),
        ("1.18.33", ListPromise.SNAPSHOT),
        ("2.0.0", ListPromise.SNAPSHOT),
    ],
)
def test_what_a_release_promises(version: str | None, promise: ListPromise) -> None:
    assert opencode.profile_of(version).promises.list is promise


def test_the_opencode_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnknownTarget, match=r"opencode@1\.0\.152"):
        resolve("opencode")
    program = tmp_path / "opencode"
    program.write_text("#!/bin/sh\necho opencode 1.2.3\n")
    program.chmod(0o755)
    target = resolve("opencode")
    assert (target.name, target.version) == ("opencode", "1.2.3")
    assert target.launch is not None
    assert target.launch.argv[0] == str(program)
    program.write_text("no program at all\x00")
    with pytest.raises(UnknownTarget, match="does not tell its version"):
        resolve("opencode")


@pytest.mark.parametrize(
    ("url", "via"),
    [
        ("http://127.0.0.1:1", Via.TCP),
        ("https://127.0.0.1:1", Via.TLS),
        ("http+unix://%2Frun%2FServer.sock", Via.UNIX),
        ("http+unix://me:secret@%2Frun%2FServer.sock/prefix", Via.UNIX),
    ],
)
def test_what_lies_below(url: str, via: Via) -> None:
    target = resolve(url, profile="opencode")
    assert target.via is via
    assert "secret" not in target.name


@pytest.mark.parametrize("url", ["http://[::1]evil.com/", "http://x[::1]:80/", "http://[::1]80"])
def test_a_host_that_cannot_be_told_from_its_port_is_no_address(url: str) -> None:
    with pytest.raises(UnknownTarget, match="is not a server's address"):
        resolve(url, profile="opencode")


def test_http2_is_a_way_to_speak_to_an_https_address() -> None:
    assert resolve("https://127.0.0.1:1", profile="opencode", http2=True).via is Via.HTTP2
    for word, profile in (("http://127.0.0.1:1", "opencode"), ("demo", None)):
        with pytest.raises(UnknownTarget, match="https://"):
            resolve(word, profile=profile, http2=True)


def test_a_socket_keeps_its_case_and_its_prefix() -> None:
    address = address_of("http+unix://me:pw@%2Frun%2FServer.sock/prefix/")
    assert address.socket_path == "/run/Server.sock"
    assert address.base_url == "http://me:pw@localhost/prefix"
