"""`deadheat check`: of each mistake in a profile it says which key to correct; a right one fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.running import deadheat
from tests.servers.shop import make_app

from deadheat.drive.server.process import free_port
from deadheat.targets.asgi import served

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live
SHOP = (Path(__file__).resolve().parents[1] / "servers" / "shop.toml").read_text()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(make_app(correct=True)) as base_url:
        yield base_url


def checked(tmp_path: Path, url: str, text: str) -> tuple[int, str, str]:
    (tmp_path / "shop.toml").write_text(text)
    done = deadheat(tmp_path, "check", url, "--profile", "shop.toml")
    return done.returncode, done.stdout, done.stderr


def test_a_profile_that_fits(tmp_path: Path, url: str) -> None:
    code, out, _ = checked(tmp_path, url, SHOP)
    assert code == 0, out
    assert out.count("✓") == 10
    assert "DELETE /carts/{id}" in out
    assert "the profile fits" in out.splitlines()[-1]
    _, again, _ = checked(tmp_path, url, SHOP)
    assert "GET /carts                       200  0 sessions" in again.splitlines()[0]  # none left


@pytest.mark.parametrize(
    ("right", "wrong", "advice"),
    [
        ("done = [201]", "done = [200]", "calls.create.done = [201]"),
        ('id = "id", done', 'id = "number", done', "the answer has id, name"),
        ('request = "POST /carts"', 'request = "POST /cart"', "Correct calls.create.request"),
        ('items = "items"', 'items = "carts"', "places in calls.list; the answer has items"),
        ("done = [204]", "done = [200]", "calls.delete.done = [204]"),
        ('title = "name" }\nlist', 'title = "title" }\nlist', "places in calls.get"),
        ('delete = { request = "DELETE', 'delete = { absent = [410], request = "DELETE',
         "Add 404 to calls.delete.absent"),
        ('{ name = "{title}" } }', '{ name = "x{title}" } }', "Correct calls.get.title"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_advice(
    tmp_path: Path, url: str, right: str, wrong: str, advice: str
) -> None:
    assert SHOP.count(right) == 1, right
    code, out, _ = checked(tmp_path, url, SHOP.replace(right, wrong))
    assert code == 2, out
    assert advice in out, out
    assert "correct the profile" in out.splitlines()[-1]


def test_titles_of_which_nothing_is_promised_are_not_compared(tmp_path: Path, url: str) -> None:
    """What ``check`` and ``run`` say to write is right once it is written."""
    other = SHOP.replace('{ name = "{title}" } }', '{ name = "x{title}" } }')
    code, out, _ = checked(tmp_path, url, other)
    assert code == 2
    assert 'update = "none" under [promises]' in out
    code, out, _ = checked(
        tmp_path, url, other.replace("[promises]", '[promises]\nupdate = "none"')
    )
    assert code == 0, out


def test_a_weaker_promise_than_what_is_seen_is_a_hint(tmp_path: Path, url: str) -> None:
    weak = SHOP.replace('delete = "exactly-once"', 'delete = "idempotent"')
    code, out, _ = checked(tmp_path, url, weak)
    assert code == 0
    assert 'write promises.delete = "exactly-once"' in out


def test_nobody_there_and_a_file_with_a_mistake(tmp_path: Path, url: str) -> None:
    code, out, err = checked(tmp_path, f"http://127.0.0.1:{free_port()}", SHOP)
    assert code == 3
    assert "Start the server" in out.splitlines()[-1]
    code, out, err = checked(tmp_path, url, SHOP.replace("exactly-once", "once"))
    assert code == 2
    assert "shop.toml:" in err
    assert "Traceback" not in out + err
    remote, _, err = checked(tmp_path, "http://192.0.2.1", SHOP)
    assert remote == 2
    assert "--allow-remote" in err
