"""The house, as ``ARCHITECTURE.md`` has it: who imports whom, and what stays pure and short."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "deadheat"
PAGE = (SRC / "ARCHITECTURE.md").read_text(encoding="utf-8")
# The standard library's, but the wire's all the same.
NO_STANDARD_LIBRARY = {"ssl"}
# What a pure room may use of the standard library: no clock, no I/O, no async, no global state.
PURE = {
    "__future__", "bisect", "collections", "dataclasses", "enum", "functools", "heapq", "itertools",
    "math", "operator", "random", "statistics", "string", "typing",
}  # fmt: skip
LONGEST = 500

MODULES = sorted(SRC.rglob("*.py"))


def layers_of(page: str) -> list[set[str]]:
    """Highest first; the rooms of one layer do not know each other."""
    (block,) = re.findall(r"^```layers\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [{room.strip() for room in line.split("|")} for line in block.splitlines()]


def rooms_of(page: str) -> dict[str, str]:
    """The last cell of each room's row: its libraries, or that it is pure."""
    rows = re.findall(r"^\| `(\w+)` \| .+ \| ?(.*?) ?\|$", page, re.MULTILINE)
    return dict(rows)


def upward(graph: grimp.ImportGraph, layers: list[set[str]]) -> list[str]:
    """Imports, direct or by way of others, that go up or to the side."""
    found = graph.find_illegal_dependencies_for_layers(layers, {"deadheat"})
    return sorted(f"{one.importer} -> {one.imported}: {one.routes}" for one in found)


def circles(graph: grimp.ImportGraph) -> list[str]:
    """Imports that close a circle among the modules and folders of one room, or among rooms."""
    ours = [one for one in graph.modules if one.partition(".")[0] == "deadheat"]
    found = [pair for one in ours for pair in graph.nominate_cycle_breakers(one)]
    return sorted(f"{importer} -> {imported}" for importer, imported in found)


def room_of(module: str) -> str:
    """``check`` of ``deadheat.check.decide.legality``, empty of the package itself."""
    return module.partition(".")[2].partition(".")[0]


LAYERS = layers_of(PAGE)
ROOMS = rooms_of(PAGE)
PURE_ROOMS = {room for room, cell in ROOMS.items() if cell == "pure"}
GRAPH = grimp.build_graph("deadheat", include_external_packages=True, cache_dir=None)
AT_RUN_TIME = grimp.build_graph(
    "deadheat",
    include_external_packages=True,
    exclude_type_checking_imports=True,
    cache_dir=None,
)
OURS = sorted(one for one in GRAPH.modules if one.partition(".")[0] == "deadheat")
THEIRS = sorted(GRAPH.modules - set(OURS))

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


def test_every_room_has_a_layer_and_a_row() -> None:
    named = [room for layer in LAYERS for room in layer]
    assert len(named) == len(set(named))
    assert set(named) == set(ROOMS) == {room_of(one) for one in OURS} - {""}


def test_every_module_is_in_the_graph() -> None:
    assert len(OURS) == len(MODULES)


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`([a-z_0-9/]+/(?:[a-z_0-9]+\.py)?)`", PAGE)
    assert len(named) > 40
    assert [
        name for name in named if not any(one.joinpath(name).exists() for one in (SRC, ROOT))
    ] == []


def test_imports_go_down_only() -> None:
    assert upward(GRAPH, LAYERS) == []
    assert GRAPH.find_modules_directly_imported_by("deadheat").isdisjoint(OURS)


def test_nothing_imports_in_a_circle() -> None:
    assert circles(GRAPH) == []


@pytest.mark.parametrize("library", THEIRS)
def test_libraries_stay_in_their_rooms(library: str) -> None:
    if library in sys.stdlib_module_names - NO_STANDARD_LIBRARY:
        return
    importers = {room_of(one) for one in GRAPH.find_modules_that_directly_import(library)}
    if library == "session_http":  # by path: the demo's own neighbour
        assert importers == {"targets"}
        return
    assert importers <= {room for room, cell in ROOMS.items() if f"`{library}`" in cell}


def test_a_library_that_a_room_names_is_imported_there() -> None:
    for room, cell in ROOMS.items():
        for library in re.findall(r"`(\w+)`", cell):
            importers = GRAPH.find_modules_that_directly_import(library)
            assert room in map(room_of, importers), f"{room} does not import {library}"


def test_three_rooms_are_pure() -> None:
    assert sorted(PURE_ROOMS) == ["check", "model", "trials"]
    for module in OURS:
        if room_of(module) in PURE_ROOMS:
            used = GRAPH.find_modules_directly_imported_by(module)
            assert {one for one in used if one in THEIRS} <= PURE, module
            # ``random.Random`` as an argument's type; the module's own generator is global state.
            assert "random" not in AT_RUN_TIME.find_modules_directly_imported_by(module), module


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.relative_to(SRC).parts[0] in PURE_ROOMS],
    ids=lambda p: str(p.relative_to(SRC)),
)
def test_what_is_pure_has_no_async_no_global_and_no_io(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global), path.name
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval"), path.name


# What prints; all of it has been through ``media``, but for the demo server's own line.
PRINTS = ("cli/output.py", "cli/main.py", "run/event_lines.py", "targets/demo/session_http.py")


def test_what_prints_is_there() -> None:
    assert [name for name in PRINTS if not SRC.joinpath(name).exists()] == []


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
    assert ast.get_docstring(ast.parse(text))


def test_every_module_has_a_test_file_or_an_entry_that_says_where_else() -> None:
    """``tests/`` mirrors the house; ``elsewhere.toml`` has what is tested with something else."""
    tests = ROOT / "tests"
    elsewhere = tomllib.loads((tests / "elsewhere.toml").read_text(encoding="utf-8"))
    modules = {
        str(path.relative_to(SRC).with_suffix(""))
        for path in MODULES
        if path.name not in ("__init__.py", "__main__.py")
    }
    mirrored = {
        module
        for module in modules
        if (tests / module).parent.joinpath(f"test_{Path(module).name}.py").exists()
    }
    assert set(elsewhere) == modules - mirrored, "correct tests/elsewhere.toml"
    named = {file for files in elsewhere.values() for file in files}
    assert [file for file in sorted(named) if not (tests / file).exists()] == []
    assert all(elsewhere.values())


def test_the_checks_themselves_bite() -> None:
    graph = grimp.ImportGraph()
    graph.add_module("deadheat")
    for room in ("model", "check", "trials"):
        graph.add_module(f"deadheat.{room}")
    for module in ("check.a", "check.b", "trials.c", "model.d"):
        graph.add_module(f"deadheat.{module}")
    layers = layers_of("```layers\ncheck | trials\nmodel\n```\n")
    assert layers == [{"check", "trials"}, {"model"}]
    graph.add_import(importer="deadheat.check.a", imported="deadheat.model.d")
    graph.add_import(importer="deadheat.check.a", imported="deadheat.check.b")
    assert upward(graph, layers) == circles(graph) == []
    graph.add_import(importer="deadheat.check.b", imported="deadheat.check.a")
    assert len(circles(graph)) == 1
    graph.add_import(importer="deadheat.check.b", imported="deadheat.trials.c")
    graph.add_import(importer="deadheat.model.d", imported="deadheat.trials.c")
    assert [one.partition(":")[0] for one in upward(graph, layers)] == [
        *("deadheat.check -> deadheat.trials", "deadheat.model -> deadheat.trials"),
    ]


# Public names of classes that stand in two modules, each with the reason.
SAME_NAME: dict[str, str] = {}


def classes_of(path: Path) -> list[str]:
    """The classes and type aliases of a module, by name, without a leading underscore."""
    found: list[str] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name):
                found.append(name)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                found.append(name)
    return [name.lstrip("_") for name in found]


def test_a_class_has_a_name_of_its_own() -> None:
    """So that one who searches for a name finds one thing."""
    places = defaultdict(list)
    for path in MODULES:
        for name in classes_of(path):
            places[name].append(path.relative_to(SRC).as_posix())
    twice = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in SAME_NAME} == {}
    assert set(SAME_NAME) <= set(twice), "no exception is needed for these any more"
