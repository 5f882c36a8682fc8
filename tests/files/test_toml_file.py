"""A mistake in a TOML file is told with file, line, key and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadheat.cli.config import Config, read_config
from deadheat.errors import BadFile
from deadheat.files.toml_file import line_of, load, toml_value
from deadheat.targets.profile.profile import read_profile

if TYPE_CHECKING:
    from pathlib import Path

CALLS = """
[calls]
create = { request = "POST /carts", body = { name = "{title}" } }
get = { request = "GET /carts/{id}" }
list = { request = "GET /carts" }
delete = { request = "DELETE /carts/{id}" }
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('target = "demo"\nbuget = "5s"\n', ":2: buget is not a key here. Did you mean budget?"),
        ('budget = "soon"\n', ":1: budget 'soon' is not a duration. Write 60s, 10m or 8h."),
        ('\n\nseed = "x"\n', ":3: seed is wrong: "),
        ('seed = "x"\n', "Write seed = 0"),
        ("target = demo\n", ":1: "),
        ("[budget]\nx = 1\n", ":1: budget "),
        ("nonsense_entirely = 1\n", "Write one of: target, profile, budget, "),
    ],
)
def test_a_mistake_in_a_configuration(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "deadheat.toml"
    file.write_text(text)
    with pytest.raises(BadFile) as caught:
        read_config(file)
    message = str(caught.value)
    assert said in message
    assert message.startswith(f"{file}:")
    assert "\n" not in message


def test_in_pyproject_the_key_is_named_with_its_table(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\nname = "x"\n\n[tool.deadheat]\ntarget = "demo"\nbudjet = "5s"\n')
    with pytest.raises(BadFile) as caught:
        read_config(file)
    assert f"{file}:6: tool.deadheat.budjet is not a key here. Did you mean budget?" == str(
        caught.value
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CALLS, "name is missing. Write name = "),
        (f'name = "a/b"\n{CALLS}', ":1: name is wrong"),
        (f'name = "carts"\n{CALLS}'.replace("POST /carts", "/carts"), ":4: calls.create has the"),
        (f'name = "carts"\n{CALLS}'.replace("GET /carts/{id}", "GET /carts"), "needs {id} in get"),
        (f'name = "carts"\n{CALLS}'.replace("{title}", "{titel}"), "has {titel} in create"),
        (f'name = "carts"\n{CALLS}rename = {{ request = "PUT /carts/{{id}}" }}\n', "{title}"),
        (
            f'name = "carts"\n{CALLS}[promises]\ndelete = "twice"\n',
            ":9: promises.delete is 'twice'",
        ),
        (f'name = "carts"\n{CALLS}[promises]\ndelete = "twice"\n', "'exactly-once' or"),
        (f'name = "carts"\nbase-path = "api"\n{CALLS}', ":2: base-path"),
        (f'name = "carts"\n{CALLS}[server]\ncommand = []\n', ":9: server.command"),
    ],
)
def test_a_mistake_in_a_profile(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "carts.toml"
    file.write_text(text)
    with pytest.raises(BadFile) as caught:
        read_profile(file)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"does not exist. Check the path"):
        load(tmp_path / "none.toml", Config)
    (tmp_path / "latin.toml").write_bytes(b"target = '\xe9'")
    with pytest.raises(BadFile, match="cannot be read"):
        load(tmp_path / "latin.toml", Config)


def test_lines_are_found_in_tables_dotted_keys_and_quotes() -> None:
    text = 'a = 1\n[b."c.d"]\ne = 2\nf.g = 3\n\n[[h]]\ni = 4\n'
    assert line_of(text, ("a",)) == 1
    assert line_of(text, ("b", "c.d", "e")) == 3
    assert line_of(text, ("b", "c.d", "f", "g")) == 4
    assert line_of(text, ("b", "c.d", "unknown")) == 2
    assert line_of(text, ("h", 0, "i")) == 7
    assert line_of(text, ("nowhere",)) is None


@given(
    st.recursive(
        st.booleans() | st.integers(-(2**31), 2**31) | st.text(st.characters(codec="ascii")),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    )
)
def test_an_example_in_a_message_is_toml(value: object) -> None:
    import tomllib

    written = toml_value(value)
    if all(c.isprintable() for c in written):
        assert tomllib.loads(f"x = {written}") == {"x": value}


def test_the_nearest_configuration_counts_and_its_paths_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert read_config(None).config == Config()
    (tmp_path / "pyproject.toml").write_text(
        '[tool.deadheat]\ntarget = "fuzz/carts.toml"\ninto = "found"\nevents = "-"\n'
    )
    (tmp_path / "a" / "pyproject.toml").write_text('[project]\nname = "no table of ours"\n')
    config = read_config(None).config
    assert (config.target, config.into, config.events) == (
        "../../fuzz/carts.toml",
        "../../found",
        "-",
    )
    assert config.regressions == "fuzz/regressions"  # a default is meant from here
    (below / "deadheat.toml").write_text('target = "opencode@1.2.1"\n')
    assert read_config(None).config.target == "opencode@1.2.1"
