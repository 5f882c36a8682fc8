"""Writes a bug report to paste, in the order in which maintainers ask for things.

What is wrong in one line; which version; the smallest sequence and what came of it; what was
to be expected; why it cannot be right; how to see it; where it was seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.errors import CannotExport
from deadheat.export.scripts import environment, script, title_of, why_of
from deadheat.files import media
from deadheat.model.verdict import Anomaly
from deadheat.report.calls import described
from deadheat.report.diagram import diagram_of, text
from deadheat.report.reasons import reasons_of
from deadheat.report.words import percent, rate_text

if TYPE_CHECKING:
    from deadheat.export.recipe import Recipe
    from deadheat.files.artifact import Artifact

# What the API should have done, for each name; a sentence of a bug report.
EXPECTED = {
    Anomaly.GHOST: "A session whose delete answered success is gone, or that delete answers an "
    "error.",
    Anomaly.RESURRECTION: "A deleted session stays deleted.",
    Anomaly.LOST_CREATE: "A session whose create answered success is there.",
    Anomaly.LOST_UPDATE: "A rename that answered success is seen by every later read.",
    Anomaly.PHANTOM: "Only sessions that were created are shown.",
    Anomaly.VANISHED: "A session stays until it is deleted.",
    Anomaly.LATE: "A change has taken effect by the time it is answered.",
    Anomaly.STALE_READ: "A read shows what was true at some moment between its call and its "
    "answer.",
    Anomaly.TORN_LIST: "A list shows the collection as it was at one moment.",
    Anomaly.TORN_READ: "A read shows a title that some call has written.",
    Anomaly.DUPLICATE_ID: "Each create answers an id of its own.",
    Anomaly.DOUBLE_DELETE: "One delete of a session says that it did it, the other that it was "
    "gone.",
    Anomaly.ORPHAN: "Deleting a session deletes the sessions below it.",
    Anomaly.PARTIAL_CASCADE: "A delete takes a session with all below it, or nothing.",
    Anomaly.WRONG_STATUS: "The status says what the call did.",
    Anomaly.SERVER_ERROR: "A valid call is not answered with a server error.",
    Anomaly.CRASH: "The server survives valid calls.",
    Anomaly.DOUBLE_CREATE: "One create of a name says that it made it, the other that it exists.",
    Anomaly.HANG: "Every call is answered.",
    Anomaly.UNRESPONSIVE: "The server goes on answering.",
    Anomaly.EARLY_EVENT: "A change is announced once it is made, not before.",
    Anomaly.MISSING_EVENT: "Every change is announced.",
    Anomaly.DUPLICATE_EVENT: "A change is announced once.",
    Anomaly.PHANTOM_EVENT: "Only changes that were made are announced.",
    Anomaly.IMPOSSIBLE: "Some order of the calls explains all answers.",
}


def markdown(recipe: Recipe, name: str, *, with_script: bool) -> str:
    """The report. ``name``: the script's name in it. Works without a script, too."""
    artifact = recipe.artifact
    reasons = reasons_of(artifact)
    proof = [line.text for line in reasons.proof] or [reasons.reason]
    try:
        code = script(recipe, name, stdlib=True) if with_script else ""
    except CannotExport:
        code = ""
    return (
        environment()
        .get_template("report.md.j2")
        .render(
            title=media.markdown_line(title_of(artifact)),
            summary=_summary(artifact),
            version=media.markdown_line(artifact.target.name),
            table=_table(recipe),
            diagram=media.markdown_block(text(diagram_of(artifact), indent="")),
            actual=f"Actual: {media.markdown_line(why_of(artifact))}.",
            expected=EXPECTED[artifact.anomaly],
            proof=list(map(media.markdown_line, proof)),
            legal=f"It would be legal if {media.markdown_line(reasons.legal_if)}."
            if reasons.legal_if
            else "",
            how=_how(recipe, name, code),
            script=media.markdown_block(code.rstrip(), "python", code=True) if code else "",
            name=name,
            environment=_environment(artifact),
        )
    )


def _summary(artifact: Artifact) -> str:
    raced = [
        ", then ".join(described(call) for call in lane)
        for lanes in artifact.program.rounds
        if len(lanes) > 1
        for lane in lanes
    ]
    rate = "Its rate was not measured." if artifact.rate is None else _sentence(artifact)
    if not raced:
        return f"Without any concurrency: {len(artifact.program.calls())} calls in a row. {rate}"
    return f"{' and '.join(map(media.markdown_code, raced))} at the same time. {rate}"


def _sentence(artifact: Artifact) -> str:
    assert artifact.rate is not None
    told = rate_text(artifact.rate)
    return f"It {told}." if told.startswith("diverges") else f"It was {told}."


def _table(recipe: Recipe) -> str:
    if not recipe.table:
        return ""
    lines = ["| version | diverged | verdict |", "|---|---|---|"]
    for row in recipe.table:
        target, verdict = media.markdown_line(row.target), media.markdown_line(row.verdict)
        lines.append(f"| {target} | {row.diverged:,} of {row.trials:,} | {verdict} |")
    return "\n".join(lines)


def _how(recipe: Recipe, name: str, code: str) -> str:
    if not code:
        command = media.markdown_code(f"deadheat replay {media.shell_word(recipe.file)}")
        return f"`pip install deadheat`, then {command} (the file is attached)."
    start = "" if recipe.start else " --url http://127.0.0.1:4096"
    does = "starts the server by itself, sends" if recipe.start else "sends"
    return (
        f"`python {name}{start}` {does} these calls with these distances again and again, stops "
        f"when it has shown (exit code 1), and gives up after {recipe.trials:,} trials."
    )


def _environment(artifact: Artifact) -> str:
    where = artifact.environment
    rate = artifact.rate
    trials = (
        "" if rate is None else f", {rate.trials:,} trials, {percent(rate.confidence)} interval"
    )
    return media.markdown_line(
        f"{where.system}, {where.cores} cores; Python {where.python}; "
        f"deadheat {where.deadheat}{trials}; judged under: {artifact.target.promises}"
    )
