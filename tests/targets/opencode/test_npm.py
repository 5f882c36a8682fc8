"""The npm fetch, against a fake ``npm`` program on PATH; one test downloads the real thing."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from deadheat.errors import FetchFailed, UnknownTarget
from deadheat.targets.opencode.npm import (
    cache_root,
    fetch_binary,
    nearby,
    package_for,
    platform_package,
)

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "opencode-linux-x64"
# Reads what to answer from a file beside it; logs each call. No imports that cost time.
FAKE = """#!{python} -IS
import json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
with open(here + "/plan.json") as file:
    plan = json.load(file)
with open(here + "/calls", "a") as file:
    file.write(" ".join(sys.argv[1:3]) + "\\n")
def fail(code):
    print(json.dumps({{"error": {{"code": code, "summary": "GET http://host.invalid/x"}}}}))
    print("npm error http://host.invalid/x", file=sys.stderr)
    sys.exit(1)
command, spec = sys.argv[1:3]
name, _, version = spec.partition("@")
if plan["fail"].get(command):
    fail(plan["fail"][command])
if name != "{package}":
    fail("E404")
if "versions" in sys.argv:
    print(json.dumps(plan["versions"]))
elif version == "latest":
    print(json.dumps(plan["versions"][-1]))
elif version not in plan["versions"]:
    fail("E404")
elif command == "view":
    print(json.dumps({{"dist.integrity": plan["integrity"], "dist.tarball": "x"}}))
else:
    to = sys.argv[sys.argv.index("--pack-destination") + 1]
    with open(here + "/tarball", "rb") as file, open(to + "/x-1.tgz", "wb") as out:
        out.write(file.read())
    print(json.dumps([{{"filename": "x-1.tgz"}}]))
"""


def packed(name: str = "package/bin/opencode", content: bytes = b"#!/bin/sh\necho hi\n") -> bytes:
    """An npm tarball of one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def integrity(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


@dataclass
class FakeNpm:
    """A test double of the npm program: what it has, and how it fails."""

    folder: Path
    versions: list[str] = field(default_factory=lambda: ["1.0.98", "1.0.142", "1.0.152", "1.2.1"])

    def plan(self, tarball: bytes, **changes: object) -> None:
        (self.folder / "tarball").write_bytes(tarball)
        plan: dict[str, object] = {
            "versions": self.versions,
            "integrity": integrity(tarball),
            "fail": {},
        }
        plan |= changes
        (self.folder / "plan.json").write_text(json.dumps(plan))

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    folder = tmp_path / "fake"
    folder.mkdir()
    program = folder / "npm"
    program.write_text(FAKE.format(python=sys.executable, package=PACKAGE))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DEADHEAT_CACHE_DIR", str(tmp_path / "cache"))
    fake = FakeNpm(folder)
    fake.plan(packed())
    return fake


def fetch(version: str = "1.0.152", said: list[str] | None = None) -> Path:
    report = (said if said is not None else []).append
    return fetch_binary(PACKAGE, version, "bin/opencode", report)


def nothing_half_done() -> bool:
    """No version in the cache, and nothing left of the attempt."""
    folder = cache_root() / PACKAGE
    return not folder.exists() or not any(folder.iterdir())


def test_it_downloads_once_and_then_needs_no_npm(npm: FakeNpm) -> None:
    said: list[str] = []
    path = fetch(said=said)
    assert path == cache_root() / PACKAGE / "1.0.152" / "opencode"
    assert subprocess.check_output([path], env={"PATH": os.defpath}) == b"hi\n"
    assert [p.name for p in (cache_root() / PACKAGE).iterdir()] == ["1.0.152"]
    assert any("downloading opencode-linux-x64 1.0.152" in line for line in said)
    (npm.folder / "npm").unlink()
    again: list[str] = []
    assert fetch(said=again) == path
    assert again == []


def test_latest_is_resolved_by_npm(npm: FakeNpm) -> None:
    assert fetch("latest").parent.name == "1.2.1"
    assert npm.calls[0] == f"view {PACKAGE}@latest"


def test_two_at_once_both_succeed(npm: FakeNpm) -> None:
    npm.plan(packed(content=b"x" * 1_000_000))
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(fetch())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths[0] == paths[1]
    assert paths[0].stat().st_size == 1_000_000
    assert [p.name for p in (cache_root() / PACKAGE).iterdir()] == ["1.0.152"]


@pytest.mark.usefixtures("npm")
def test_what_a_killed_download_left_is_swept_when_old() -> None:
    old, new = (cache_root() / PACKAGE / name for name in (".new-old", ".new-new"))
    for path in (old, new):
        path.mkdir(parents=True)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    fetch()
    assert not old.exists()
    assert new.exists()


TRUNCATED = packed(content=os.urandom(50_000))[:20_000]
CASES = {
    "wrong integrity": (packed(), {"integrity": integrity(b"other")}, "does not match"),
    "truncated on the way": (TRUNCATED, {"integrity": integrity(packed())}, "does not match"),
    "published truncated": (TRUNCATED, {}, "is broken (EOFError)"),
    "no tarball at all": (b"<html>", {}, "is broken (ReadError)"),
    "no such member": (packed("package/bin/other"), {}, "has no file bin/opencode"),
    "member elsewhere": (packed("../../bin/opencode"), {}, "has no file bin/opencode"),
    "no sha512": (packed(), {"integrity": "sha1-abc"}, "no sha512 integrity"),
    "offline": (packed(), {"fail": {"view": "ENOTFOUND"}}, "cannot reach its registry (ENOTFOUND)"),
    "offline later": (packed(), {"fail": {"pack": "ETIMEDOUT"}}, "registry (ETIMEDOUT)"),
    "refused": (packed(), {"fail": {"view": "E403"}}, "npm failed with E403"),
    "a code that is none": (packed(), {"fail": {"view": "http://h/"}}, "with exit code 1"),
}


@pytest.mark.parametrize(("tarball", "changes", "why"), CASES.values(), ids=CASES)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(
    npm: FakeNpm, tarball: bytes, changes: dict[str, Any], why: str
) -> None:
    npm.plan(tarball, **changes)
    with pytest.raises(FetchFailed) as caught:
        fetch()
    message = str(caught.value)
    assert why in message
    assert "; " in message  # what to do next
    assert "host.invalid" not in message
    assert str(npm.folder.parent) not in message
    assert "\n" not in message
    assert nothing_half_done()


def test_offline_names_what_the_cache_has(npm: FakeNpm) -> None:
    fetch("1.0.98")
    fetch("1.0.152")
    npm.plan(packed(), fail={"view": "ENOTFOUND"})
    with pytest.raises(FetchFailed, match=r"in the cache \(1\.0\.98, 1\.0\.152\)"):
        fetch("1.2.1")


def test_a_missing_version_names_its_neighbours(npm: FakeNpm) -> None:
    with pytest.raises(UnknownTarget) as caught:
        fetch("1.0.150")
    assert str(caught.value) == (
        "opencode-linux-x64 has no version 1.0.150; name one that exists, "
        "for example 1.0.98, 1.0.142, 1.0.152, 1.2.1"
    )
    assert not any(call.startswith("pack") for call in npm.calls)


@pytest.mark.usefixtures("npm")
def test_a_missing_package_or_tag_is_the_users_mistake() -> None:
    with pytest.raises(UnknownTarget, match="npm has no package opencode-none"):
        fetch_binary("opencode-none", "1.0.0", "bin/opencode", print)
    with pytest.raises(UnknownTarget, match=r"no version nightly; .* 1\.0\.152, 1\.2\.1$"):
        fetch("nightly")


@pytest.mark.parametrize("version", ["1.0", "^1.0.0", "../1.0.0", "1.0.0/..", "", "--help", "1.x"])
def test_only_exact_versions_and_tags_reach_npm(npm: FakeNpm, version: str) -> None:
    with pytest.raises(UnknownTarget, match="not an exact version"):
        fetch(version)
    assert npm.calls == []


def test_npm_missing_is_said(npm: FakeNpm) -> None:
    (npm.folder / "npm").unlink()
    with pytest.raises(FetchFailed, match="npm is not on PATH; install"):
        fetch()


def test_a_cache_that_cannot_be_written(npm: FakeNpm) -> None:
    (npm.folder.parent / "cache").write_text("a file where the folder should be")
    with pytest.raises(FetchFailed, match="cannot be stored: Not a directory; make room"):
        fetch()


@pytest.mark.parametrize(
    ("system", "machine", "avx2", "musl", "name"),
    [
        ("Linux", "x86_64", True, False, "opencode-linux-x64"),
        ("Linux", "x86_64", False, True, "opencode-linux-x64-baseline-musl"),
        ("Linux", "aarch64", False, True, "opencode-linux-arm64-musl"),
        ("Darwin", "arm64", False, False, "opencode-darwin-arm64"),
        ("Darwin", "x86_64", False, False, "opencode-darwin-x64-baseline"),
        ("Windows", "AMD64", True, False, "opencode-windows-x64"),
    ],
)
def test_the_package_of_a_machine(
    system: str, machine: str, avx2: bool, musl: bool, name: str
) -> None:
    assert package_for(system, machine, avx2=avx2, musl=musl) == name


def test_a_machine_without_a_release() -> None:
    with pytest.raises(FetchFailed, match="no OpenCode release for Linux on riscv64"):
        package_for("Linux", "riscv64", avx2=False, musl=False)


def test_neighbours_are_by_number_and_no_prereleases() -> None:
    existing = ["0.0.0-dev-1", "1.10.0", "1.2.0", "1.9.0", "1.11.0", "2.0.0"]
    assert nearby("1.9.5", existing) == ("1.2.0", "1.9.0", "1.10.0", "1.11.0")
    assert nearby("9.9.9", existing) == ("1.11.0", "2.0.0")
    assert nearby("0.0.1", existing) == ("1.2.0", "1.9.0")
    assert nearby("1.0.0", []) == ()


@pytest.mark.opencode
def test_the_real_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEADHEAT_CACHE_DIR", str(tmp_path))
    path = fetch_binary(platform_package(), "1.0.152", "bin/opencode", print)
    told = subprocess.run(
        [path, "--version"],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.strip() == "1.0.152"
    with pytest.raises(UnknownTarget, match=r"1\.0\.142, 1\.0\.152"):
        fetch_binary(platform_package(), "1.0.150", "bin/opencode", print)
