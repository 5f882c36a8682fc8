"""The pytest plugin, in pytests of their own: what a user sees, with and without it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase
from tests.examples import on_any_machine

from deadheat.files import artifact as artifacts
from deadheat.files.artifact import RateRecord
from deadheat.generate.database import FoundProgram, RaceFound, falsify

if TYPE_CHECKING:
    from deadheat.model.program import Program

pytestmark = pytest.mark.live
SHOP = Path(__file__).parent / "servers" / "shop.py"
# The shop's API for a server that somebody else starts.
PROFILE = re.sub(
    r"\[server\].*?(?=\[calls\])", "", SHOP.with_suffix(".toml").read_text(), flags=re.DOTALL
)
# Installed beside ours; they take three quarters of the time in which a pytest starts.
OTHERS = ("asyncio", "trio", "anyio", "xdist", "playwright", "timeout")
HEAD = "from deadheat.testing import race_test\nfrom shop import make_app\n"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A user's suite: the shop, its profile, nothing of this repo's configuration."""
    for name in ("CI", "GITHUB_ACTIONS"):  # either makes Hypothesis keep no examples
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(shop=SHOP.read_text())
    pytester.path.joinpath("shop.toml").write_text(PROFILE)
    configure(pytester, *(f"-p no:{name}" for name in OTHERS))
    return pytester


def configure(suite: pytest.Pytester, *more: str) -> None:
    suite.makeini(
        "[pytest]\npythonpath = .\nfilterwarnings = error\n"
        f"addopts = --strict-markers --strict-config {' '.join(more)}\n"
    )


def run(suite: pytest.Pytester, *words: str) -> pytest.RunResult:
    return suite.runpytest_subprocess(*words, timeout=500)


class Remembered:
    """What a search has found, without a search: nothing else is asked of it."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def replay(self, program: Program) -> FoundProgram | None:
        """Nothing is known of it."""
        raise AssertionError(f"{program} was remembered before")

    def search(self, programs: int) -> FoundProgram | None:
        """The program, at once."""
        del programs
        return FoundProgram(self._program, "it diverged")


def remember_instead(suite: pytest.Pytester, node: str) -> None:
    """The finding becomes one that is judged on any machine, as if it had diverged in each trial.

    Its calls run one after the other, so that no offset can be missed.
    """
    found, *others = sorted((suite.path / ".deadheat" / "carts").glob("*.json"))
    serial = replace(
        on_any_machine(artifacts.read(found)), rate=RateRecord(200, 200, 0.9817, 1.0, 0.95)
    )
    for path in (found, *others):
        path.unlink()
    artifacts.write(serial, found.parent)
    for kept in remembered(suite):
        kept.unlink()
    database = DirectoryBasedExampleDatabase(suite.path / ".hypothesis" / "examples")
    with pytest.raises(RaceFound):
        falsify(
            Remembered(serial.program),
            name=node,
            using=settings(database=database),
            test=node.rpartition("::")[2],
        )


def remembered(suite: pytest.Pytester) -> list[Path]:
    """The files of the example database."""
    examples = suite.path / ".hypothesis" / "examples"
    return [path for path in examples.rglob("*") if path.is_file()]


def test_a_race_is_a_failure_with_its_diagram_and_is_tried_first_the_next_time(
    suite: pytest.Pytester,
) -> None:
    suite.makepyfile(
        test_shop=HEAD
        + "test_carts = race_test(make_app(correct=False), profile='shop.toml', budget='60s')\n"
    )
    ran = run(suite)
    ran.assert_outcomes(failed=1)
    shown = ran.stdout.str()
    assert "_ test_carts _" in shown
    assert "✗ " in shown
    assert "┌ " in shown
    assert "again   pytest 'test_shop.py::test_carts'" in shown
    assert re.search(r"saved   \.deadheat/carts/[a-z-]+-[0-9a-f]{8}\.json", shown)
    assert "testing.py" not in shown  # no frame of ours
    assert (suite.path / ".hypothesis").exists()
    # From the example database: at once, and without a search.
    again = run(suite, "--lf", "-q", "--deadheat-budget", "250s", "--durations=1")
    again.assert_outcomes(failed=1)
    assert "it diverged before, and again in trial" in again.stdout.str()
    took = re.search(r"([\d.]+)s call", again.stdout.str())
    assert took is not None
    assert float(took[1]) < 200  # and not what a search would take
    # Fixed: silent for as long as its rate asks for, then forgotten.
    remember_instead(suite, "test_shop.py::test_carts")
    assert remembered(suite)
    suite.makepyfile(
        test_shop=HEAD
        + "test_carts = race_test(make_app(correct=True), profile='shop.toml', budget='12s', "
        + "max_rps=40)\n"
    )
    calm = run(suite)
    calm.assert_outcomes(passed=1)
    assert re.search(r"test_carts: clean: [\d,]+ programs", calm.stdout.str())
    assert not remembered(suite)


def test_a_fixture_of_the_users_gives_the_target(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_shop=HEAD
        + """
import pytest, threading, uvicorn, socket, time

@pytest.fixture(scope="module")
def server_url():
    sock = socket.socket(proto=socket.IPPROTO_TCP)
    sock.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(correct=True), log_level="error"))
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    sock.close()

test_by_name = race_test(fixture="server_url", profile="shop.toml", budget="12s", max_rps=40)

def test_by_fixture(deadheat, server_url):
    deadheat(server_url, profile="shop.toml", budget="12s", max_rps=40, seed=3)

@pytest.fixture
def app():
    return make_app(correct=True)

test_app_of_a_fixture = race_test(fixture="app", profile="shop.toml", budget="12s", max_rps=40)
"""
    )
    ran = run(suite, "-v")
    ran.assert_outcomes(passed=3)
    assert ran.stdout.str().count(": clean: ") == 3


def test_a_machine_of_the_users_own_and_the_seed(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_shop=HEAD
        + """
from deadheat.testing import Profile, ProgramMachine
import json, pathlib, tomllib

from deadheat.testing import Get, precondition, rule
from hypothesis import strategies as st

drawn = []

class GetsTwice(ProgramMachine):
    @precondition(lambda self: self.racing())
    @rule(session=ProgramMachine.live, lane=st.integers(0, 2))
    def get_twice(self, session, lane):
        self.append(Get(session, 11), lane)
        self.append(Get(session, 13), lane)

    def program(self):
        drawn.append(str(super().program()))
        return super().program()

profile = Profile.model_validate(tomllib.loads(pathlib.Path("shop.toml").read_text()))
test_own = race_test(
    make_app(correct=True), profile=profile, budget="12s", max_rps=40, machine=GetsTwice
)

def test_drawn():
    assert any("11)" in program and "13)" in program for program in drawn)
    pathlib.Path("drawn.json").write_text(json.dumps(drawn[:20]))
"""
    )
    written = []
    for words in ((), ("--hypothesis-seed=5",), ("--hypothesis-seed=5",)):
        run(suite, *words).assert_outcomes(passed=2)
        written.append((suite.path / "drawn.json").read_text())
    assert written[1] == written[2]
    assert written[0] != written[1]


def test_it_runs_beside_xdist_and_the_async_plugins(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_shop=HEAD
        + """
import anyio, asyncio, pytest, trio
test_one = race_test("demo:correct", budget="12s", max_rps=40)
test_two = race_test(make_app(correct=True), profile="shop.toml", budget="12s", max_rps=40)

@pytest.mark.anyio
async def test_anyio():
    await anyio.sleep(0)

@pytest.mark.asyncio
async def test_asyncio(deadheat):
    with pytest.raises(Exception, match="plain `def` test"):
        deadheat("demo:correct", budget="5s")

@pytest.mark.trio
async def test_trio():
    await trio.sleep(0)
"""
    )
    configure(suite, "-o asyncio_default_fixture_loop_scope=function")
    ran = run(suite, "-n", "2", "-q", "-k", "not trio")
    ran.assert_outcomes(passed=4)
    run(suite, "-q", "-k", "trio").assert_outcomes(passed=2, deselected=4)


def test_without_the_plugin_nothing_of_it_is_left(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_plain="""
import sys
def test_nothing_is_imported(request):
    assert not [name for name in sys.modules if name.startswith("deadheat")]
    assert "deadheat" not in request.config.getini("markers").__str__()
"""
    )
    ran = run(suite, "-p", "no:deadheat")
    ran.assert_outcomes(passed=1)
    assert "deadheat" not in ran.stdout.str().replace(str(suite.path), "").split("plugins:")[1]
    for words, wanted in ((("--help",), False), (("--fixtures",), False), (("--markers",), False)):
        said = run(suite, *words, "-p", "no:deadheat").stdout.str()
        assert ("--deadheat-budget" in said) is wanted
        assert "make by race_test" not in said
        with_it = run(suite, *words).stdout.str()
        assert "deadheat" in with_it
    assert not (suite.path / ".deadheat").exists()


def test_with_it_nothing_heavy_is_imported_before_it_is_asked_for(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_plain="""
import sys
def test_nothing_is_imported():
    ours = {name for name in sys.modules if name.startswith("deadheat")}
    assert ours <= {"deadheat", "deadheat.pytest_plugin"}
"""
    )
    run(suite).assert_outcomes(passed=1)


def test_what_proves_nothing_fails_in_one_line(suite: pytest.Pytester) -> None:
    lines = {
        "race_test('nonsense')": "deadheat targets",
        "race_test('http://127.0.0.1:9', profile='shop.toml', budget='5s')": "no connection",
        "race_test(make_app(correct=True), budget='5s')": "needs profile=",
        "race_test(make_app(correct=True), profile='none.toml')": "does not exist",
        "race_test(42)": "is not a target",
    }
    tests = [f"test_{n} = {line}\n" for n, line in enumerate(lines)]
    suite.makepyfile(test_shop=HEAD + "".join(tests))
    ran = run(suite)
    ran.assert_outcomes(failed=len(lines))
    # The summary has a line of each.
    told = dict(
        re.findall(r"^FAILED test_shop\.py::test_(\d) - (.*)$", ran.stdout.str(), re.MULTILINE)
    )
    shown = re.split(r"^_+ test_(\d) _+$", ran.stdout.str(), flags=re.MULTILINE)
    pages = dict(zip(shown[1::2], shown[2::2], strict=True))
    for n, said in enumerate(lines.values()):
        assert told[str(n)]
        assert said in pages[str(n)]
    assert "Traceback" not in ran.stdout.str()


def test_a_wrong_option_is_told_where_it_is_written(suite: pytest.Pytester) -> None:
    lines = {
        "race_test('demo', bugdet='5s')": "bugdet",
        "race_test('demo', budget='soon')": "is not a duration",
        "race_test()": "takes a target",
    }
    for n, line in enumerate(lines):
        suite.makepyfile(**{f"test_shop_{n}": f"{HEAD}test_it = {line}\n"})
    ran = run(suite)
    ran.assert_outcomes(errors=len(lines))
    shown = re.split(
        r"^_+ ERROR collecting test_shop_(\d)\.py _+$", ran.stdout.str(), flags=re.MULTILINE
    )
    pages = dict(zip(shown[1::2], shown[2::2], strict=True))
    for n, said in enumerate(lines.values()):
        assert said in pages[str(n)]


def test_a_bad_budget_on_the_command_line(suite: pytest.Pytester) -> None:
    ran = run(suite, "--deadheat-budget", "soon")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    assert "Write 60s" in ran.stderr.str()


def test_marked_so_that_it_can_be_left_out_and_x_stops(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_shop=HEAD
        + """
test_race = race_test(make_app(correct=False), profile="shop.toml", budget="12s", max_rps=60)
def test_after(): pass
"""
    )
    run(suite, "-m", "not deadheat").assert_outcomes(passed=1, deselected=1)
    ran = run(suite, "-x", "-q")
    ran.assert_outcomes(failed=1)
    assert "stopping after 1 failures" in ran.stdout.str()
