"""The summary of a campaign, for a terminal.

Rule: a clean night says what it would have seen, for each pair of calls that overlapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.files import media
from deadheat.files.results import grouped
from deadheat.report.finding import finding_text
from deadheat.report.words import duration_text, names_a_file, percent
from deadheat.trials.coverage import plateaued, possible_pairings
from deadheat.trials.evidence import rate_refuted

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.files.results import CampaignFinding, CampaignRecord, FindingGroup
    from deadheat.trials.coverage import Pairing, Silence


def campaign_text(record: CampaignRecord, report: Path, *, proves: bool) -> str:
    """The summary: every divergence, then what was exercised, then how to go on."""
    parts: list[str] = []
    if record.findings:
        groups = grouped(record.findings)
        parts.append(distinct_text(groups))
        parts += [_group_text(group, record.again) for group in groups]
    elif not (programs := record.totals.get("programs", 0)):
        parts.append("no program was run")
    elif proves:
        raced = record.totals.get("raced", programs)
        parts.append(
            f"clean: 0 of {raced:,} programs diverged in which calls raced (of {programs:,}); a "
            f"race showing in {percent(rate_refuted(raced))} of those would have been seen (99 %)"
        )
    else:
        parts.append("no divergence seen, which proves nothing here")
    parts.append("\n".join(exercised(record)))
    parts.append(f"report  {report}\nresume  {resume_line(record)}")
    return "\n" + "\n\n".join(parts)


def resume_line(record: CampaignRecord) -> str:
    """The command that goes on with it."""
    trust = ("--trust",) if names_a_file(record.target) else ()
    return media.shell_line("deadheat", "campaign", "--resume", str(record.folder), *trust)


def distinct_text(groups: tuple[FindingGroup, ...]) -> str:
    """The number of divergences, and of those that are probably the same."""
    variants = sum(len(group.variants) for group in groups)
    distinct = f"{len(groups)} distinct divergence{'s' * (len(groups) != 1)}"
    more = f", and {variants} variant{'s' * (variants != 1)} of them" if variants else ""
    return distinct + more


def _group_text(group: FindingGroup, again: tuple[str, ...]) -> str:
    lines = [finding_text(group.head.artifact, group.head.path, again), seen_text(group.head)]
    if group.variants:
        lines.append("variants (the same calls race in them, and more):")
        lines += [f"  {variant_text(one)}: {one.path}" for one in group.variants]
    return "\n".join(lines)


def variant_text(finding: CampaignFinding) -> str:
    """``orphan (create, delete, fork), 12 calls``."""
    small = f"{len(finding.artifact.program.calls())} calls"
    return f"{finding.key}, {small}{'' if finding.settled else ', not shrunk'}"


def seen_text(finding: CampaignFinding) -> str:
    """How often the search saw it."""
    able = f"{finding.hits:,} of {finding.programs:,} programs that could show it did"
    return f"in the search: {able}; first after {duration_text(finding.first_s)}, last after " + (
        duration_text(finding.last_s)
    )


def exercised(record: CampaignRecord) -> list[str]:
    """What was run, what has overlapped, what never did, and what its silence is worth."""
    totals = record.totals
    lines = [
        (
            f"{record.target}, seed {record.seed}: {totals.get('programs', 0):,} programs, "
            f"{totals.get('trials', 0):,} trials, {totals.get('requests', 0):,} requests "
            f"in {duration_text(record.elapsed_s)} ({record.ended or 'running'})"
        ),
        f"under the promises: {record.promises}",
    ]
    possible = possible_pairings(record.kinds, record.families)
    never = [p for p in possible if p not in {overlap.pairing for overlap in record.seen}]
    lines.append(
        f"{len(possible) - len(never)} of {len(possible)} pairs of calls have overlapped, "
        f"in {len(record.seen)} ways"
        + (f"; never: {', '.join(map(pairing_text, never[:6]))}" if never else "")
        + (f" and {len(never) - 6} more" if len(never) > 6 else "")
    )
    if plateaued(totals.get("programs", 0), record.last_new):
        lines.append(f"plateau: nothing new since program {record.last_new:,}")
    quiet = sorted(quiet_pairs(record), key=lambda one: one[1].trials)
    for pairing, silence in quiet[:3]:
        rarest = silence.would_have_seen()
        if rarest is not None:
            lines.append(
                f"least proven: {pairing_text(pairing)}: quiet in {silence.trials:,} trials; a "
                f"race showing in {percent(rarest)} of them would have been seen (99 %)"
            )
    for name, words in (
        ("undecided", "trials undecided: they prove nothing either way"),
        ("skipped", "programs left out: bound to show what is known"),
        ("restarts", "times the server died and was started again"),
        ("lost_workers", "workers were lost"),
    ):
        if totals.get(name):
            lines.append(f"{totals[name]:,} {words}")
    return lines


def quiet_pairs(record: CampaignRecord) -> list[tuple[Pairing, Silence]]:
    """The pairings that have overlapped, and never in a trial that diverged."""
    return [(p, s) for p, s in record.silence.items() if s.trials and not s.diverged]


def pairing_text(pairing: Pairing) -> str:
    """``delete + get, same session``."""
    about = {
        "same": "same session",
        "family": "parent and child",
        "other": "other session",
        "all": "",
    }[pairing.relation.value]
    pair = f"{pairing.first} then {pairing.second}"
    return f"{pair}, {about}" if about else pair
