"""What every test runs under: one Hypothesis profile, one async backend, and the markers' rules."""

from __future__ import annotations

import compileall
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import deadheat
from deadheat.errors import FetchFailed
from deadheat.files.redaction import forget

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Whatever the habit of whoever calls: hundreds of processes begin here, and each would compile all
# of deadheat anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """Compile once what each process of the suite, and each that a test starts, would compile."""
    if not hasattr(config, "workerinput"):
        ours = Path(deadheat.__file__).parent
        rewritten = re.compile(r"/(test_[^/]*|conftest)\.py$")  # by pytest itself
        compileall.compile_dir(ours, quiet=2)
        compileall.compile_dir(Path(__file__).parent, quiet=2, rx=rewritten)


# The same examples in every run: a red build is about the change, never about luck.
# Every setting that Hypothesis takes from the variable CI is written here: no test depends on it.
settings.register_profile(
    "deadheat-ci", derandomize=True, database=None, deadline=None, print_blob=False
)
settings.load_profile("deadheat-ci")

# CI sets it: there a test on the real binaries that cannot run is a failure.
_REQUIRED = os.environ.get("DEADHEAT_REQUIRE_OPENCODE") == "1"


@pytest.fixture(autouse=True)
def _no_secrets() -> Iterator[None]:
    """What one test has read from the environment is no secret in the next."""
    yield
    forget()


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes for the whole suite: half of its tests wait, so two for each core.

    None for a part of it, whose failure somebody looks for, nor for what measures.
    """
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    measures = "quality" in config.option.markexpr.replace("not quality", "")
    if not whole or measures or config.option.keyword:
        return 0
    return 2 * len(os.sched_getaffinity(0))


# Nothing else takes as long: begun last, they would be waited for alone.
_LONGEST = ("test_readme.py", "test_campaign.py", "test_cli.py", "test_ci.py", "test_fixing.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _cannot_run(why: str) -> None:
    if _REQUIRED:
        pytest.fail(f"DEADHEAT_REQUIRE_OPENCODE=1, but {why}", pytrace=False)
    pytest.skip(f"NOT TESTED on the real OpenCode: {why}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("opencode") is not None and shutil.which("npm") is None:
        _cannot_run("there is no npm on PATH")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    except FetchFailed as error:
        if item.get_closest_marker("opencode") is None:
            raise
        _cannot_run(str(error))
        raise
