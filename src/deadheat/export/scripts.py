"""Renders a recipe as a script, a pytest file or curl lines, by the templates beside it.

Rules
- What is written needs nothing of deadheat: httpx at most, or the standard library.
- Everything of the artifact goes into Python, comments and shell through ``media``: a server that
  answers strange texts writes no code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from deadheat.errors import CannotExport
from deadheat.export.clues import Clue, clues_of, last_clue
from deadheat.export.recipe import Reads
from deadheat.files import media
from deadheat.files.artifact import divergence_of
from deadheat.model.program import kind_of, makes, needs, var_of
from deadheat.model.promises import IdPromise
from deadheat.model.raced import NOT_LOOKED
from deadheat.model.release import LANE_US, NEIGHBOUR_US
from deadheat.report.calls import described
from deadheat.report.diagram import diagram_of, text
from deadheat.report.reasons import MEANING, Reasons, reasons_of
from deadheat.report.words import rate_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.export.recipe import ProgramStep, Recipe, RequestTemplate
    from deadheat.files.artifact import Artifact


def script(recipe: Recipe, name: str, *, stdlib: bool) -> str:
    """A Python file that reproduces by itself. Raises ``CannotExport``."""
    return _rendered("script.py.j2", recipe, name, stdlib=stdlib)


def pytest_file(recipe: Recipe, name: str) -> str:
    """A test for the target's own repository. Raises ``CannotExport``."""
    return _rendered("pytest.py.j2", recipe, name, stdlib=True)


def curl_lines(recipe: Recipe, name: str) -> str:
    """The calls for a shell; raced ones in the background."""
    artifact = recipe.artifact
    made = [call for call in artifact.program.calls() if makes(call) is not None]
    names = sorted(var.name for call in made if (var := makes(call)) is not None)
    head = [
        title_of(artifact),
        *text(diagram_of(artifact), indent="  ").splitlines(),
    ]
    return (
        environment()
        .get_template("curl.sh.j2")
        .render(
            head=[media.line(line) for line in head],
            why=media.line(why_of(artifact)),
            name=media.line(media.shell_word(name)),
            file=media.line(media.shell_word(recipe.file)),
            options=_curl_options(recipe),
            id_sed=media.shell_word(_id_sed(recipe)),
            rounds=_rounds(recipe, _curl),
            list_path=media.shell_word(recipe.list_all.path),
            reused=_reused(recipe),
            cleaning=_curl_cleaning(recipe, names),
        )
    )


def title_of(artifact: Artifact) -> str:
    """``ghost: a session deleted with success is still there (two … at once)``."""
    together = artifact.program.concurrency
    raced = [
        kind_of(call)
        for lanes in artifact.program.rounds
        if len(lanes) > 1
        for lane in lanes
        for call in lane
    ]
    kinds = " and ".join(sorted(set(raced)))
    how = f" ({kinds} at the same time)" if together > 1 else ""
    return f"{artifact.anomaly}: {MEANING[artifact.anomaly]}{how}"


def why_of(artifact: Artifact) -> str:
    """The recorded reason, with the program's session names."""
    return reasons_of(artifact).reason


def _blank_why(artifact: Artifact) -> str:
    """The reason with ``{a}`` for session a; a session that no clue names keeps its name."""
    clues = clues_of(artifact)
    known = {clue.session for clue in clues} | {clue.parent for clue in clues}
    known |= {name for clue in clues for name in (*dict(clue.shows), *clue.lacks)}
    names = {
        session: f"{{{name}}}" if name in known else name
        for session, name in artifact.names.items()
    }
    return Reasons(divergence_of(artifact), names).reason


def _rendered(template: str, recipe: Recipe, name: str, *, stdlib: bool) -> str:
    artifact, start = recipe.artifact, recipe.start
    if not recipe.reads:
        raise CannotExport(
            f"a script cannot read the answers of the profile {artifact.target.profile}. "
            "Use --as curl or --as markdown."
        )
    if artifact.target.settle_ms:
        raise CannotExport(
            "this example waits for the target's settle time, which a script does not. "
            "Use `deadheat replay`."
        )
    return (
        environment()
        .get_template(template)
        .render(
            title=_in_docstring(title_of(artifact)),
            diagram=_in_docstring(text(diagram_of(artifact))),
            reason=_in_docstring(why_of(artifact)),
            deadheat=_in_docstring(artifact.environment.deadheat),
            target=_in_docstring(artifact.target.name),
            rate="its rate was not measured" if artifact.rate is None else rate_text(artifact.rate),
            name=_in_docstring(name),
            test_name=re.sub(
                r"[^A-Za-z0-9]+", "_", f"{artifact.anomaly} {' '.join(artifact.signature)}"
            ).strip("_"),
            stdlib=stdlib,
            rounds=_rounds(recipe, _call),
            reused=_reused(recipe),
            list_all=recipe.list_all,
            get=recipe.get,
            delete=recipe.delete,
            last=last_clue(artifact),
            clues=[_clue(clue) for clue in clues_of(artifact)],
            why=_blank_why(artifact),
            trials=recipe.trials,
            miss_us=NEIGHBOUR_US,
            miss_lane_us=LANE_US,
            not_looked=tuple(sorted(NOT_LOOKED)),
            reads=[(kind, _reads(reads)) for kind, reads in recipe.reads],
            headers=recipe.headers,
            basic=recipe.basic,
            timeout_s=artifact.target.timeout_s,
            start=start,
            start_name=_in_docstring(
                "" if start is None else f"{start.package} {start.version}".strip() or "the server"
            ),
            start_argv=None if start is None else media.python_literal(list(start.argv)),
            start_env=None if start is None else media.python_literal(dict(start.env)),
        )
    )


def environment() -> Environment:
    """The Jinja environment for the templates."""
    # No HTML here, and what goes into code goes through repr.
    made = Environment(
        loader=PackageLoader("deadheat.export"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["py"] = media.python_literal
    return made


def _rounds(recipe: Recipe, spelt: Callable[[ProgramStep], str]) -> list[list[list[str]]]:
    by_place = {step.place: step for step in recipe.steps}
    return [
        [[spelt(by_place[r, l, i]) for i in range(len(lane))] for l, lane in enumerate(lanes)]
        for r, lanes in enumerate(recipe.artifact.program.rounds)
    ]


def _call(step: ProgramStep) -> str:
    """The arguments of a ``Call`` in the script."""
    call, request = step.call, step.request
    var, needed = var_of(call), needs(call) if makes(call) is not None else None
    values = (
        described(call),
        kind_of(call),
        None if var is None else var.name,
        request.method,
        request.path,
        request.body,
        call.offset_us,
        None if needed is None else needed.name,
    )
    return ", ".join(map(media.python_literal, values))


def _clue(clue: Clue) -> str:
    values = (
        clue.kind,
        clue.answer,
        clue.session,
        clue.parent,
        clue.shows,
        clue.lacks,
        clue.at_rest,
        clue.after,
    )
    return ", ".join(map(media.python_literal, values))


def _reads(reads: Reads) -> str:
    return ", ".join(media.python_literal(getattr(reads, name)) for name in Reads.__slots__)


def _curl(step: ProgramStep) -> str:
    """One curl line; what it makes goes into a shell variable, as the lane's own process allows."""
    line = _curl_line(step.request, {}, title=f"deadheat {{RUN}} {described(step.call)}")
    made = makes(step.call)
    wait = f"sleep {step.call.offset_us / 1e6:.6f}; " if step.call.offset_us else ""
    return wait + (line if made is None else f"{made.name}=$({line} | id)")


def _reused(recipe: Recipe) -> bool:
    """Did an id come back, by what was known of the server?"""
    return recipe.artifact.target.promises.ids is IdPromise.REUSED


def _curl_cleaning(recipe: Recipe, names: list[str]) -> list[str]:
    """The deletes of what is still there and ours, by its title or as no call deleted it."""
    get = dict(recipe.reads).get("get")
    titled = get is not None and get.title is not None
    calls = recipe.artifact.program.calls()
    deleted = {var.name for call in calls if kind_of(call) == "delete" and (var := var_of(call))}
    lines: list[str] = []
    for name in names:
        delete = f"{_curl_line(recipe.delete, {'a': name})} >/dev/null"
        if titled:
            shown = _curl_line(recipe.get, {"a": name}).removeprefix("call ")
            lines.append(f"if ours {shown}; then {delete}; fi")
        elif name not in deleted:
            lines.append(delete)
    return lines


def _curl_options(recipe: Recipe) -> str:
    """The options of each request; a secret is the shell variable of its name."""

    def quoted(text: str) -> str:
        pieces = re.split(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}", text)
        return "".join(
            f'"${{{piece}:?}}"' if n % 2 else media.shell_word(piece)
            for n, piece in enumerate(pieces)
            if piece
        )

    words = [f"--header {quoted(f'{name}: {text}')}" for name, text in recipe.headers]
    if recipe.basic is not None:
        words.append(f"--user {quoted(':'.join(recipe.basic))}")
    return "".join(f"{word} " for word in words)


def _id_sed(recipe: Recipe) -> str:
    """The sed command that takes the id out of a create's answer."""
    create = dict(recipe.reads).get("create")
    key = "id" if create is None or not create.id else str(create.id[-1])
    literal = re.sub(r"([\\\[\].*^$/])", r"\\\1", key.replace("\n", " "))
    return f's/.*"{literal}" *: *"\\{{0,1\\}}\\([^",}}]*\\).*/\\1/p'


def _curl_line(request: RequestTemplate, names: dict[str, str], title: str = "") -> str:
    def filled(part: str) -> str:
        # A session's name becomes a variable of the shell, outside of the single quotes.
        pieces = re.split(r"\{(RUN|[a-z][0-9]*)\}", part.replace("{title}", title))
        quoted = [
            f'"${names.get(piece, piece)}"' if n % 2 else media.shell_word(piece)
            for n, piece in enumerate(pieces)
            if piece
        ]
        return "".join(quoted)

    words = ["call", "--request", request.method, '"$BASE"' + filled(request.path)]
    if request.body is not None:
        words += ["--header", "'content-type: application/json'", "--data", filled(request.body)]
    return " ".join(words)


def _in_docstring(lines: str) -> str:
    """The text with nothing in it that ends a docstring or reads as an escape."""
    shown = media.without_tags(media.lines(lines))
    return shown.replace("\\", "\\\\").replace('"""', "'''")
