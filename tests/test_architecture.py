"""The house of DESIGN §3: who may import whom, what stays pure, and how large a module may be."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "deadheat"

# The layer table of DESIGN §3. A module imports from its own layer or a lower-numbered one.
LAYERS = {
    "": 1,  # the package itself: its version, nothing else
    "errors": 1,
    "core": 1,
    "artifact": 2,
    "artifact_tags": 2,
    "artifact_text": 2,
    "fingerprint": 2,
    "duration": 1,
    "hiding": 1,
    "folding": 1,
    "media": 1,
    "regression": 2,
    "toml_file": 2,
    "results": 2,
    "migrations": 2,
    "report": 2,
    "generate": 3,
    "drive": 3,
    "targets": 3,
    "campaign": 4,
    "config": 4,
    "job": 5,
    "session": 5,
    "testing": 5,
    "target": 4,
    "campaigning": 5,
    "comparison": 5,
    "console": 5,
    "screen": 5,
    "cli": 5,
    "pytest_plugin": 5,
    "__main__": 5,
}
# Only these may import that (DESIGN §3).
ONLY_IN = {
    "hypothesis": ("generate", "testing", "pytest_plugin"),
    "anyio": ("drive",),
    "httpx": ("drive",),
    "httpx_sse": ("drive",),
    "httpcore": ("drive",),
    "h11": ("drive", "targets"),  # the demo server parses with it
    "h2": ("drive",),
    "ssl": ("drive",),
    "click": ("cli",),
    "rich": ("console", "screen"),
    "jinja2": ("report",),
    "markupsafe": ("report",),
    "distributed": ("campaign",),
    "cattrs": ("artifact",),
    "fastapi": (),  # only tests need a web framework
    "junitparser": ("report",),
    "pydantic": ("config", "targets", "toml_file"),
    "pydantic_core": ("toml_file",),
    "jsonpath": ("targets",),
    "tomlkit": ("targets",),
    "yaml": ("targets",),
    "pytest": ("pytest_plugin", "testing"),
    "uvicorn": ("targets",),
}
# What core may use of the standard library: no clock, no I/O, no async, no global state.
PURE = {
    "__future__", "bisect", "collections", "dataclasses", "enum", "functools", "heapq", "itertools",
    "math", "operator", "random", "statistics", "string", "typing",
}  # fmt: skip
LONGEST = 500

MODULES = sorted(SRC.rglob("*.py"))


def part(path: Path) -> str:
    """``core`` of ``core/program.py``, ``session`` of ``session.py``, empty of the package."""
    name = path.relative_to(SRC).parts[0].removesuffix(".py")
    return "" if name == "__init__" else name


def imported(path: Path) -> list[tuple[str, int]]:
    """Every module that is imported, those under TYPE_CHECKING and in functions too."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} imports relatively"
            module = node.module or ""
            # ``from deadheat import artifact`` names a module, not a value.
            found += (
                [(f"deadheat.{alias.name}", node.lineno) for alias in node.names]
                if module == "deadheat"
                else [(module, node.lineno)]
            )
    return found


def of_type_checking(path: Path) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def ours(name: str) -> str | None:
    """The part of deadheat that an import names; None for somebody else's module."""
    first, _, rest = name.partition(".")
    if first != "deadheat":
        return None
    word = rest.partition(".")[0]
    return word if word in LAYERS else ""


by_name = pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))


def test_the_top_level_holds_what_the_design_names_and_nothing_else() -> None:
    said = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if said.returncode:
        pytest.skip("no git checkout: nothing says which files are ours")
    tops = {name.partition("/")[0] for name in said.stdout.splitlines()}
    assert {top for top in tops if not top.startswith(".")} == {
        *("README.md", "fuzz", "pyproject.toml", "src", "tests"),
    }


def test_every_module_has_a_layer() -> None:
    assert {part(path) for path in MODULES} <= set(LAYERS)


@by_name
def test_imports_go_down_only(path: Path) -> None:
    layer = LAYERS[part(path)]
    for name, line in imported(path):
        target = ours(name)
        assert target is None or LAYERS[target] <= layer, f"{path.name}:{line} imports {name}"


@by_name
def test_libraries_stay_in_their_part(path: Path) -> None:
    for name, line in imported(path):
        allowed = ONLY_IN.get(name.partition(".")[0])
        assert allowed is None or part(path) in allowed, f"{path.name}:{line} imports {name}"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if part(p) == "core"], ids=lambda p: str(p.name)
)
def test_core_is_pure(path: Path) -> None:
    typing_only = of_type_checking(path)
    for name, line in imported(path):
        first = name.partition(".")[0]
        assert first in PURE or first == "deadheat", f"{path.name}:{line} imports {name}"
        # ``random.Random`` as the type of an argument; the module's own generator is global state.
        assert first != "random" or line in typing_only, f"{path.name}:{line} imports random"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global), path.name
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval"), path.name


# What prints; all of it has been through ``media``, but for the demo server's own line.
PRINTS = ("cli/saying.py", "cli/main.py", "campaign/event_lines.py", "targets/session_http.py")


@by_name
def test_nothing_gets_past_the_one_way_to_the_terminal(path: Path) -> None:
    if str(path.relative_to(SRC)) in PRINTS:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "click.echo", "click.secho"), f"{path.name} prints"
            assert not called.endswith(("stdout.write", "stderr.write")), f"{path.name} prints"


@by_name
def test_modules_are_short_and_say_what_they_are_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST
    if path.name != "__init__.py":
        assert ast.get_docstring(ast.parse(text))


def test_the_checks_themselves_bite(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from deadheat.drive import gate\n"
        "def f():\n    from deadheat import session\n    import httpx.x\n"
    )
    names = [name for name, _ in imported(sample)]
    assert names == ["typing", "deadheat.drive", "deadheat.session", "httpx.x"]
    assert [ours(name) for name in names] == [None, "drive", "session", None]
    assert of_type_checking(sample) == {2, 3}
