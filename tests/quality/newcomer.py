"""A new user's first hour with deadheat in CI, in a repository of their own, from the README.

Builds the wheel; makes a scratch repository outside this one with a FastAPI app (its lost update
planted), a virtual environment with the wheel, fastapi and uvicorn, and the files that the
README's CI section shows, as they stand there. Then: red with the picture; the app is fixed,
`deadheat fixed FILE`, green; the app is broken again, red from the committed example in seconds;
the same once as a pytest test. Prints every command with what it said. Exit 1 when a step ends
otherwise.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from tests import readme_files  # noqa: E402 - by path, as a script

BROKEN, FIXED = "correct=os.environ", "correct=True or os.environ"
# The regression stops at its first divergence; starting Python and the server is most of this.
_SECONDS = 20.0


class Newcomer:
    """Their repository, and what they type."""

    def __init__(self, folder: Path) -> None:
        self.repo = folder / "shop"
        self.repo.mkdir()
        self.bin = folder / "venv" / "bin"
        self.failed = 0
        wheels = folder / "dist"
        self._quietly(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", wheels, REPO)
        self._quietly(sys.executable, "-m", "venv", folder / "venv")
        (wheel,) = wheels.glob("deadheat-*.whl")
        pip = (self.bin / "python", "-m", "pip", "install", "-q")
        self._quietly(*pip, f"{wheel}[asgi]", "fastapi", "pytest")
        self._quietly("git", "init", "-q", self.repo)
        shutil.copy(REPO / "tests" / "servers" / "shop.py", self.repo / "shop.py")
        names = ("fuzz/carts.toml", "pyproject.toml", "test_races.py")
        readme_files.write(self.repo, *names)
        pyproject = self.repo / "pyproject.toml"
        with pyproject.open("a", encoding="utf-8") as file:
            file.write('\n[tool.pytest.ini_options]\npythonpath = ["."]\n')

    def _quietly(self, *words: object) -> None:
        done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{words}\n{done.stdout}{done.stderr}")

    def edit(self, old: str, new: str) -> None:
        """They change the app."""
        app = self.repo / "shop.py"
        text = app.read_text(encoding="utf-8")
        assert old in text
        app.write_text(text.replace(old, new), encoding="utf-8")
        print(f"\n--- shop.py: {old} becomes {new}", flush=True)

    def types(self, *words: str, wanted: int, says: str = "", within_s: float = 120.0) -> str:
        """One command; told whether it ended as it should."""
        print(f"\n$ {' '.join(words)}", flush=True)
        env = {**os.environ, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}
        for name in ("GITHUB_ACTIONS", "CI", "PYTHONPATH"):
            env.pop(name, None)
        began = time.monotonic()
        done = subprocess.run(
            [str(self.bin / words[0]), *words[1:]],
            cwd=self.repo,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        took = time.monotonic() - began
        print(done.stdout)
        good = done.returncode == wanted and says in done.stdout and took <= within_s
        self.failed += not good
        verdict = "as it should" if good else f"WRONG: wanted {wanted} and {says!r}"
        print(f"[exit {done.returncode} after {took:.1f} s: {verdict}]", flush=True)
        return done.stdout


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with tempfile.TemporaryDirectory(prefix="deadheat-newcomer-") as scratch:
        user = Newcomer(Path(scratch))
        user.types("deadheat", "ci", wanted=1, says="✗ ")
        found = sorted((user.repo / ".deadheat" / "carts").glob("*.json"))
        if not found:
            return 1
        user.edit(BROKEN, FIXED)
        for path in found:
            user.types("deadheat", "fixed", str(path.relative_to(user.repo)), wanted=0)
        user.types("deadheat", "ci", wanted=0, says="still clean")
        user.edit(FIXED, BROKEN)
        user.types(
            *("deadheat", "ci", "--exitfirst"), wanted=1, says="came back", within_s=_SECONDS
        )
        user.types("pytest", "-q", "test_races.py", wanted=1, says="came back", within_s=_SECONDS)
        user.edit(BROKEN, FIXED)
        user.types("pytest", "test_races.py", wanted=0, says="deadheat")
    print(f"\n{user.failed} steps went wrong")
    return 1 if user.failed else 0


if __name__ == "__main__":
    sys.exit(main())
