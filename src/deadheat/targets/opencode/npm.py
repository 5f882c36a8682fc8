"""Gets released binaries through the npm client, into a cache by version.

Rules
- Only the ``npm`` program speaks to a registry, with the user's own settings;
  what it prints is read for error codes and numbers and never passed on, as it
  names hosts and folders.
- A version is in the cache completely or not at all: it is unpacked elsewhere
  and renamed. Two processes at once both succeed; one's copy is kept.
- What is in the cache needs no npm.
- A tarball is unpacked only if its sha512 is the one that npm's metadata names,
  and of it only the one regular file that is wanted.
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from deadheat.errors import FetchFailed, UnknownTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# npm view asks for some kilobytes; npm pack loads about 50 MB.
VIEW_WITHIN_S = 120
PACK_WITHIN_S = 1200
# What an interrupted download left is removed when it is this old, so that no
# download under way is hit.
STALE_S = 24 * 3600
# How many existing versions a message names on either side of a missing one.
NEARBY = 2
CHUNK = 1 << 20

_EXACT = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
_TAG = re.compile(r"[a-z][a-z0-9-]*", re.IGNORECASE)
_CODE = re.compile(r"[A-Z][A-Z0-9_]+")
_MISSING = frozenset({"E404", "ETARGET"})
_NETWORK = frozenset(
    {
        *("EAI_AGAIN", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH"),
        *("ENETUNREACH", "ENOTFOUND", "EPIPE", "ERR_SOCKET_TIMEOUT", "ETIMEDOUT", "FETCH_ERROR"),
    }
)
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class _NpmError(Exception):
    """npm ended with this error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def cache_root() -> Path:
    """Where downloads are kept: DEADHEAT_CACHE_DIR, else the platform's cache directory."""
    given = os.environ.get("DEADHEAT_CACHE_DIR")
    return Path(given) if given else user_cache_path("deadheat", appauthor=False)


def package_for(system: str, machine: str, *, avx2: bool, musl: bool) -> str:
    """OpenCode's npm package for a machine, named as ``platform`` names it.

    Source: the optional dependencies of ``opencode-ai``. Raises FetchFailed for
    a machine that none is made for.
    """
    arch = _MACHINES.get(machine.lower())
    if arch is None or system not in ("Linux", "Darwin", "Windows"):
        raise FetchFailed(
            f"there is no OpenCode release for {system} on {machine}; "
            "start a server yourself and give its base URL"
        )
    name = f"opencode-{system.lower()}-{arch}"
    if arch == "x64" and not avx2:
        name += "-baseline"
    return name + ("-musl" if musl and system == "Linux" else "")


def platform_package() -> str:
    """OpenCode's npm package for this machine; raises FetchFailed when there is none."""
    system = platform.system()
    return package_for(
        system, platform.machine(), avx2=_has_avx2(system), musl=system == "Linux" and _is_musl()
    )


def _has_avx2(system: str) -> bool:
    """Does the processor have AVX2? True also when unknown: nearly all have it."""
    if system == "Linux":
        with contextlib.suppress(OSError):
            return "avx2" in Path("/proc/cpuinfo").read_text(errors="replace")
    if system == "Darwin":
        with contextlib.suppress(OSError):
            told = subprocess.run(
                ["sysctl", "-n", "machdep.cpu.leaf7_features"],
                capture_output=True,
                text=True,
                check=False,
            )
            return told.returncode != 0 or "AVX2" in told.stdout
    return True


def _is_musl() -> bool:
    return platform.libc_ver()[0] != "glibc" and any(Path("/lib").glob("ld-musl-*"))


def fetch_binary(package: str, version: str, member: str, report: Callable[[str], None]) -> Path:
    """The path of one executable of a released package, downloaded if it is not cached.

    ``version``: an exact one, or a tag such as ``latest``. ``member``: the path
    inside the package, for example ``bin/opencode``. ``report`` gets a line for
    each step that takes time; nothing is reported when the cache has it. Blocks.

    Raises UnknownTarget when npm has no such package or version, and FetchFailed
    when npm is missing, cannot reach its registry, or delivers something broken.
    """
    if _TAG.fullmatch(version):
        report(f"asking npm which version of {package} is {version}")
        version = _resolved(package, version)
    elif not _EXACT.fullmatch(version):
        raise UnknownTarget(
            f"{version!r} is not an exact version of {package}; write all three numbers, or latest"
        )
    kept = cache_root() / package / version
    binary = kept / Path(member).name
    if not binary.is_file():
        try:
            _download(package, version, member, kept, report)
        except OSError as error:
            raise FetchFailed(
                f"{package} {version} cannot be stored: {error.strerror or error}; "
                "make room in the cache directory, or set DEADHEAT_CACHE_DIR to another one"
            ) from error
    return binary


def versions_of(package: str) -> tuple[str, ...]:
    """Every release that npm has of a package, in order; no pre-release. Blocks.

    Raises UnknownTarget when npm has no such package, and FetchFailed.
    """
    try:
        told = _npm("view", package, "versions", within_s=VIEW_WITHIN_S)
    except _NpmError as error:
        if error.code in _MISSING:
            raise UnknownTarget(f"npm has no package {package}; check the target's name") from None
        raise _failure(package, "latest", error.code) from None
    existing = [told] if isinstance(told, str) else told if isinstance(told, list) else []
    return released(str(one) for one in existing)


def released(versions: Iterable[str]) -> tuple[str, ...]:
    """The releases among them, oldest first."""
    found = sorted((n, one) for one in versions if (n := _numbers(one)) is not None)
    return tuple(one for _, one in found)


def _download(
    package: str, version: str, member: str, kept: Path, report: Callable[[str], None]
) -> None:
    integrity = _integrity(package, version)
    kept.parent.mkdir(parents=True, exist_ok=True)
    _sweep(kept.parent)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=kept.parent) as staging:
        report(f"downloading {package} {version} through npm (once; it is kept in the cache)")
        tarball = _packed(package, version, Path(staging))
        if _sha512(tarball) != integrity:
            raise FetchFailed(
                f"the tarball of {package} {version} does not match the integrity that npm "
                "reports; run `npm cache verify` and try again"
            )
        report(f"unpacking {package} {version}")
        fresh = Path(staging, "unpacked")
        fresh.mkdir()
        _unpack(tarball, member, fresh / Path(member).name, f"{package} {version}")
        try:
            fresh.rename(kept)
        except OSError:
            if not (kept / Path(member).name).is_file():  # else another process was faster
                raise


def _unpack(tarball: Path, member: str, to: Path, what: str) -> None:
    """Unpack one regular file of the tarball, executable. Its name inside decides nothing."""
    try:
        with tarfile.open(tarball, "r:gz") as tar:
            found = tar.getmember(f"package/{member}")
            inside = tar.extractfile(found) if found.isreg() else None
            if inside is None:
                raise KeyError(member)
            with inside, to.open("wb") as out:
                shutil.copyfileobj(inside, out, CHUNK)
                out.flush()
                os.fsync(out.fileno())  # else a power cut may keep the name and lose the bytes
    except KeyError:
        raise FetchFailed(f"{what} has no file {member}; choose another version") from None
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise FetchFailed(
            f"the tarball of {what} is broken ({type(error).__name__}); "
            "run `npm cache verify` and try again"
        ) from None
    to.chmod(0o755)


def _sweep(folder: Path) -> None:
    """Remove what killed downloads left long ago."""
    for left in folder.glob(".new-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left, ignore_errors=True)


def _sha512(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    return "sha512-" + base64.b64encode(digest).decode()


# --- npm -------------------------------------------------------------------


def _resolved(package: str, tag: str) -> str:
    """The version that a tag stands for now."""
    try:
        told = _npm("view", f"{package}@{tag}", "version", within_s=VIEW_WITHIN_S)
    except _NpmError as error:
        raise _failure(package, tag, error.code) from None
    if not isinstance(told, str) or not _EXACT.fullmatch(told):
        raise UnknownTarget(f"{package} has no tag {tag}; name a version, or latest")
    return told


def _integrity(package: str, version: str) -> str:
    """The sha512 that npm's metadata gives for a version."""
    fields = ("dist.integrity", "dist.tarball")
    try:
        told = _npm("view", f"{package}@{version}", *fields, within_s=VIEW_WITHIN_S)
    except _NpmError as error:
        raise _failure(package, version, error.code) from None
    named = told.get("dist.integrity", "") if isinstance(told, dict) else ""
    for one in str(named).split():
        if one.startswith("sha512-"):
            return one.partition("?")[0]
    raise FetchFailed(
        f"npm reports no sha512 integrity for {package} {version}; choose another version"
    )


def _packed(package: str, version: str, folder: Path) -> Path:
    """Have npm download the tarball into a folder that has none yet."""
    words = ("pack", f"{package}@{version}", "--pack-destination", str(folder))
    try:
        _npm(*words, within_s=PACK_WITHIN_S)
    except _NpmError as error:
        raise _failure(package, version, error.code) from None
    for tarball in folder.glob("*.tgz"):
        return tarball
    raise FetchFailed(f"npm delivered no tarball of {package} {version}; try again")


def _failure(package: str, version: str, code: str) -> FetchFailed | UnknownTarget:
    """The error that an error code of npm means for the user."""
    if code in _MISSING:
        return _no_such_version(package, version)
    if code in _NETWORK:
        return FetchFailed(
            f"npm cannot reach its registry ({code}); check the network with `npm ping`, "
            f"or name a version that is in the cache ({_cached(package)})"
        )
    return FetchFailed(
        f"npm failed with {code}; run `npm view {package}@{version}` to see why, then try again"
    )


def _no_such_version(package: str, version: str) -> FetchFailed | UnknownTarget:
    try:
        near = nearby(version, versions_of(package))
    except (FetchFailed, UnknownTarget) as error:
        return error
    return UnknownTarget(
        f"{package} has no version {version}; name one that exists, "
        f"for example {', '.join(near) or 'latest'}"
    )


def nearby(version: str, existing: Sequence[str]) -> tuple[str, ...]:
    """The releases around a version that does not exist; the newest for a tag."""
    released = sorted((n, one) for one in existing if (n := _numbers(one)) is not None)
    wanted = _numbers(version.partition("-")[0])
    at = len(released) if wanted is None else bisect.bisect(released, (wanted, ""))
    return tuple(one for _, one in released[max(0, at - NEARBY) : at + NEARBY])


def _numbers(version: str) -> tuple[int, ...] | None:
    """A release's numbers; None for a pre-release or a tag."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else None


def _cached(package: str) -> str:
    """The versions in the cache, as a phrase."""
    folder = cache_root() / package
    kept = [p.name for p in folder.iterdir() if p.name[0] != "."] if folder.is_dir() else []
    return ", ".join(sorted(kept, key=lambda v: (_numbers(v) or (), v))) or "none yet"


def _npm(*words: str, within_s: float) -> object:
    """Run npm and return its JSON; raises _NpmError with npm's code, or FetchFailed."""
    program = shutil.which("npm")
    if program is None:
        raise FetchFailed("npm is not on PATH; install Node.js with npm, or try the target demo")
    quiet = {
        "npm_config_update_notifier": "false",
        "npm_config_ignore_scripts": "true",
        "npm_config_fetch_retries": "1",  # npm's two, with its pauses, take over a minute
    }
    # Not where the user stands: a project there could change what npm does.
    with tempfile.TemporaryDirectory(prefix="deadheat-npm-") as folder:
        try:
            done = subprocess.run(
                [program, *words, "--json"],
                cwd=folder,
                env=os.environ | quiet,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=within_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _NpmError("ETIMEDOUT") from None
        except OSError as error:
            raise FetchFailed(
                f"npm cannot be run: {error.strerror or error}; check `npm --version`"
            ) from None
    try:
        told = json.loads(done.stdout) if done.stdout.strip() else None
    except ValueError:
        told = None
    if done.returncode == 0:
        return told
    problem = told.get("error") if isinstance(told, dict) else None
    code = problem.get("code") if isinstance(problem, dict) else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        code = f"exit code {done.returncode}"
    raise _NpmError(code)
