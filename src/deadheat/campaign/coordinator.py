"""The coordinator: owns the store, deals the work, decides what is new, and when it ends.

Rules
- It sends no request itself and races with nothing: workers do that, in processes of their own.
- ``clock`` is monotonic and an argument; campaign time is time at work, over all resumes.
- Whatever ends it (time, programs, Ctrl-C, a broken target, a full disk), workers are told to
  stop, what they still say is written, and none is left running.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from deadheat.campaign import protocol
from deadheat.campaign.findings import CampaignFindings
from deadheat.campaign.local_workers import STOPPING_S
from deadheat.campaign.shares import Dealer, Failures
from deadheat.campaign.totals import CampaignTotals
from deadheat.errors import (
    CannotSave,
    DeadheatError,
    ExitCode,
    StartFailed,
    TargetError,
    UserError,
    VersionsDiffer,
)
from deadheat.files.artifact import from_json, signature_of
from deadheat.model.program import structure
from deadheat.run import events
from deadheat.run.event_lines import event_name
from deadheat.run.event_text import event_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.campaign.local_workers import Crew, WorkerLine
    from deadheat.campaign.store import Store
    from deadheat.campaign.worker_count import WorkerCount
    from deadheat.files.results import CampaignFinding

_TICK_S = 1.0
_SAMPLE_S = 10.0
_REPORT_S = 15.0
_LOOK_S = 0.1
# One finding may be shrunk for so long: at 30 trials a second the shrinker's own budget.
_LONGEST_PURSUIT_S = 900.0
# Of what is left, what pursuits of all that is waiting may take together.
_PART_FOR_PURSUITS = 0.8
_SHORTEST_PURSUIT_S = 2.0
# A worker says something after every trial, and a trial in which every call hangs takes minutes.
_SILENT_S = 600.0
# After a pursuit a worker searches for so much of its length, whatever waits: a target with many
# divergences would be shrunk all night and searched for minutes.
_SEARCH_AFTER = 0.5
_SHARES_AHEAD = 2
_MOST_LEARNED = 64


@dataclass(slots=True)
class _CrewMember:
    """One worker, as the coordinator sees it."""

    name: str
    ready: bool = False
    told_to_stop: bool = False
    phase: str = "starting"
    detail: str = ""
    programs: int = 0
    server_bytes: int = 0
    shares: list[int] = field(default_factory=list)
    pursuing_since_s: float | None = None
    heard_s: float = 0.0
    searches_until_s: float = 0.0  # before it pursues another finding
    failed: protocol.Failed | None = None


class Coordinator:
    """One run of a campaign; ``run`` may be called once."""

    def __init__(
        self,
        store: Store,
        crew: Crew,
        worker_count: WorkerCount,
        clock: Callable[[], float],
        tell: Callable[[events.Event, float], None],
        report: Callable[[], None],
        resident_bytes: Callable[[], int],
    ) -> None:
        self._store, self._crew, self._worker_count = store, crew, worker_count
        self._clock, self._tell = clock, tell
        self._report, self._resident_bytes = report, resident_bytes
        self._settings = store.settings
        self._totals = CampaignTotals(store)
        self._findings = CampaignFindings(store)
        self._learned: list[int] = list(store.fact("learned") or ())
        left = None
        if self._settings.programs is not None:
            left = max(self._settings.programs - self._totals.total("programs"), 0)
        self._dealer = Dealer(self._totals.total("next_share"), left, store.shares())
        self._failures = Failures()
        self._members: dict[str, _CrewMember] = {}
        self._anyone_ready = False
        self._error: DeadheatError | None = None
        self._interrupted = False
        self._began_s = clock()
        self._before_s = self._totals.totals.get("elapsed_s", 0.0)
        self._ticked_s = self._reported_s = self._began_s
        self._sampled_s = float("-inf")
        self._plateau = False
        self._histories = self._totals.total("histories")

    # --- time --------------------------------------------------------------------

    def elapsed_s(self) -> float:
        """Campaign time: seconds at work, over all resumes."""
        return self._before_s + self._clock() - self._began_s

    def _left_s(self) -> float:
        seconds = self._settings.seconds
        return float("inf") if seconds is None else seconds - self.elapsed_s()

    def interrupt(self) -> None:
        """Ctrl-C or SIGTERM: end soon, with everything kept. May be called from a handler."""
        self._interrupted = True

    # --- the loop ---------------------------------------------------------------------------

    def run(self) -> DeadheatError | None:
        """Work until it ends; returns the error that ended it, if any. All is in the store."""
        settings = self._settings
        self._say(events.Opened(settings.word, settings.seed, self._store.folder))
        ended = "error"
        try:
            self._store.note("ended", "")
            while not (ended := self._ended()):
                self._staff()
                self._take_in(_LOOK_S)
                self._deal()
                self._look_around()
        except DeadheatError as exc:
            self._error, ended = exc, "error"
        finally:
            self._wind_up(ended)
        return self._error

    def _ended(self) -> str:
        if self._error is not None:
            return "error"
        if self._interrupted:
            return "interrupted"
        if self._left_s() <= 0:
            return "time"
        if self._dealer.done() and not self._findings.waiting() and not self._findings.pursued():
            return "programs"
        return ""

    def _take_in(self, wait_s: float) -> None:
        """Take all lines that have come; wait a moment if there are none."""
        try:
            said = self._crew.said.get(timeout=wait_s)
        except queue.Empty:
            return
        while True:
            self._hear(said)
            try:
                said = self._crew.said.get_nowait()
            except queue.Empty:
                return
            if self._clock() - self._ticked_s > _TICK_S:  # never too busy to write down
                self._look_around()

    def _look_around(self) -> None:
        now_s = self._clock()
        if now_s - self._ticked_s < _TICK_S:
            return
        self._ticked_s = now_s
        self._totals.look(now_s)
        self._tick()
        self._say_plateau()
        self._say(self.snapshot())
        if now_s - self._reported_s >= _REPORT_S:
            self._reported_s = now_s
            self._report()

    def _last_tick(self) -> None:
        self._sampled_s = float("-inf")
        self._tick()

    def _tick(self) -> None:
        totals, coverage = self._totals.totals, self._totals.coverage
        totals["elapsed_s"] = self.elapsed_s()
        totals["next_share"] = self._dealer.number
        totals["histories"] = self._histories
        sample = None
        if self.elapsed_s() - self._sampled_s >= _SAMPLE_S:
            self._sampled_s = self.elapsed_s()
            sample = self._totals.sample(
                self.elapsed_s(), len(self._findings), self._workers(), self._resident_bytes()
            )
        changed = self._findings.changed()
        self._store.tick(totals, coverage, self._dealer.open(), changed, sample)

    # --- workers ----------------------------------------------------------------------------

    def _staff(self) -> None:
        """Start or stop workers, unless the target has to be left alone for a while."""
        now_s = self._clock()
        shown = self._totals.total("hits")
        wanted, why = self._worker_count.wanted(now_s, self._totals.total("programs"), shown)
        if why:
            self._say(events.Workers(wanted, why))
        wanted = min(wanted, self._crew.places())
        while len(self._members) < wanted and now_s >= self._failures.not_before_s:
            name = self._crew.start()
            if name is None:
                break
            self._members[name] = _CrewMember(name, heard_s=now_s)
        for member in tuple(self._members.values()):
            if now_s - member.heard_s > _SILENT_S:
                member.heard_s = now_s
                self._crew.stop(member.name)  # that it has gone arrives as any other loss
        surplus = [h for h in self._members.values() if not h.told_to_stop][wanted:]
        for member in surplus:
            if not self._findings.busy(member.name):
                self._stop(member)

    def _stop(self, member: _CrewMember) -> None:
        member.told_to_stop = True
        self._crew.send(member.name, protocol.Stop())

    def _gone(self, member: _CrewMember, last_words: str) -> None:
        del self._members[member.name]
        self._dealer.give_back(member.shares)
        for finding in self._findings.lost(member.name):
            self._say(events.GivenUp(finding.key))
        self._crew.stop(member.name)
        if member.told_to_stop:
            return
        self._totals.add("lost_workers", 1)
        self._failures.failed(self._clock())
        failed = member.failed
        words = last_words if failed is None else f"{failed.message}\n{failed.log_tail}"
        first = words.strip().splitlines()[:1] or ["it was killed"]
        self._say(events.WorkerLost(member.name, first[0]))
        self._store.write_text("last-words.txt", words.strip() + "\n")
        self._judge_failure(failed, words)

    def _judge_failure(self, failed: protocol.Failed | None, words: str) -> None:
        """Raises the error that ends the campaign, where another try makes no sense."""
        code = None if failed is None else failed.exit_code
        said = "a worker was lost" if failed is None else failed.message
        if code == ExitCode.USER:
            raise UserError(said)
        if code == ExitCode.TARGET and failed is not None and not self._anyone_ready:
            raise StartFailed(said, failed.log_tail)
        if code == ExitCode.INTERNAL:
            raise DeadheatError(f"{said} Report it with {self._store.folder / 'last-words.txt'}.")
        if self._failures.hopeless():
            raise StartFailed(
                f"{self._settings.word} keeps dying, {self._failures.in_a_row} times in a row "
                f"before one program was run ({said}). Look at "
                f"{self._store.folder / 'last-words.txt'}.",
                words,
            )

    # --- what workers say -------------------------------------------------------------------

    def _hear(self, said: WorkerLine) -> None:
        member = self._members.get(said.worker)
        if member is None:
            return
        if said.line is None:
            self._gone(member, said.last_words)
            return
        member.heard_s = self._clock()
        message: protocol.Message = protocol.from_line(said.line)
        match message:
            case protocol.Hello():
                self._greet(member, message)
            case protocol.Ready():
                self._ready(member, message)
            case protocol.WorkDone():
                self._count(member, message)
            case protocol.NewDivergence(artifact=artifact):
                self._found(artifact)
            case protocol.Sighting(artifact=artifact):
                self._store.keep_history(artifact, self._histories)
                self._histories += 1
            case protocol.BetterExample():
                self._better(message)
            case protocol.Activity(phase, detail):
                member.phase, member.detail = phase, detail
            case protocol.ServerRestarted():
                self._restarted(member, message)
            case protocol.Failed():
                member.failed = message
            case protocol.WorkerEnded():
                member.told_to_stop = True
            case _:
                assert_never(message)

    def _greet(self, member: _CrewMember, hello: protocol.Hello) -> None:
        refusal = protocol.refusal(hello)
        if refusal:
            raise VersionsDiffer(refusal)
        settings = self._settings
        self._crew.send(
            member.name,
            protocol.Begin(
                settings.word,
                settings.profile,
                settings.allow_remote,
                settings.seed,
                settings.recycle_programs,
                settings.recycle_bytes,
                tuple(self._learned),
                settings.http2,
                settings.max_rps and settings.max_rps / max(1, self._crew.places()),
                str(self._store.folder),
            ),
        )

    def _ready(self, member: _CrewMember, ready: protocol.Ready) -> None:
        if not self._anyone_ready:
            self._anyone_ready = True
            self._totals.kinds, self._totals.families = ready.kinds, ready.families
            self._store.note("promises", ready.promises)
            self._store.note("kinds", ready.kinds)
            self._store.note("families", ready.families)
        member.ready, member.phase = True, "searching"
        for finding in self._findings.findings():
            self._crew.send(member.name, self._findings.know(finding))
        self._crew.send(
            member.name, protocol.SeenElsewhere(tuple(str(o) for o in self._totals.coverage.seen))
        )
        self._say(events.WorkerStarted(member.name, ready.promises))

    def _count(self, member: _CrewMember, did: protocol.WorkDone) -> None:
        member.programs += did.counts.get("programs", 0)
        member.server_bytes = did.server_bytes
        if did.counts.get("programs"):
            self._failures.worked()
        new = self._totals.count(did)
        if new:
            news = protocol.SeenElsewhere(tuple(str(overlap) for overlap in new))
            for other in self._members.values():
                if other is not member and other.ready:
                    self._crew.send(other.name, news)
        self._findings.hit(did.hits.items(), self.elapsed_s())
        if (
            self._dealer.moved(did.share, did.position, did.drawn_here)
            and did.share in member.shares
        ):
            member.shares.remove(did.share)

    def _found(self, text: str) -> None:
        artifact = from_json(text, "a worker's finding")
        finding = self._findings.found(artifact, self.elapsed_s(), self._totals.total("programs"))
        if finding is not None:
            self._broadcast(self._findings.know(finding))
            signature = signature_of(artifact)
            calls = len(artifact.program.calls())
            self._say(
                events.DivergenceFound(
                    finding.key, signature, finding.first_program, calls, finding.path
                )
            )

    def _better(self, said: protocol.BetterExample) -> None:
        if not said.finished:
            before = self._findings.get(said.key)
            after = self._findings.better(said)
            if before is not None and after is not None and after is not before:
                signature = signature_of(after.artifact)
                calls = len(after.artifact.program.calls())
                self._say(events.Shrunk(said.key, signature, calls, None))
            return
        settled, known = self._findings.settle(said)
        if settled is None:
            for finding in known:
                self._broadcast(protocol.ForgetFinding(finding.key))
                self._say(events.Known(finding.key))
            return
        self._learn(settled)
        self._broadcast(self._findings.know(settled))
        self._say(events.Saved(settled.key, settled.artifact, settled.path))

    def _learn(self, settled: CampaignFinding) -> None:
        """Keep the offsets at which it shows: mutations draw them more often from now on."""
        offsets = [call.offset_us for call in settled.artifact.program.calls() if call.offset_us]
        if settled.artifact.program != structure(settled.artifact.program):
            self._learned = [*self._learned, *offsets][-_MOST_LEARNED:]
            self._store.note("learned", self._learned)

    def _broadcast(self, order: protocol.WorkerOrder) -> None:
        for member in self._members.values():
            if member.ready:
                self._crew.send(member.name, order)

    def _restarted(self, member: _CrewMember, said: protocol.ServerRestarted) -> None:
        if said.died:
            self._totals.add("restarts", 1)
            restarts = self._totals.total("restarts")
            self._say(events.TargetRestarted(restarts, said.log_tail, member.name))
        else:
            self._totals.add("recycled", 1)
            self._say(events.Recycled(member.name))

    # --- dealing ----------------------------------------------------------------------------

    def _deal(self) -> None:
        for member in self._members.values():
            if not member.ready or member.told_to_stop:
                continue
            if not self._findings.busy(member.name):
                self._give_a_finding(member)
            while len(member.shares) < _SHARES_AHEAD and (share := self._dealer.deal()) is not None:
                member.shares.append(share.number)
                self._crew.send(
                    member.name, protocol.Share(share.number, share.programs, share.skip)
                )

    def _give_a_finding(self, member: _CrewMember) -> None:
        now_s = self._clock()
        if member.pursuing_since_s is not None:  # the one before has come to its end
            took_s = now_s - member.pursuing_since_s
            member.pursuing_since_s, member.searches_until_s = None, now_s + took_s * _SEARCH_AFTER
        waiting = self._findings.waiting()
        if not waiting or (now_s < member.searches_until_s and not self._dealer.done()):
            return
        at_once = max(1, sum(h.ready for h in self._members.values()))
        turns = max(1.0, len(waiting) / at_once)
        seconds = min(_LONGEST_PURSUIT_S, self._left_s() * _PART_FOR_PURSUITS / turns)
        if seconds < _SHORTEST_PURSUIT_S:
            return
        finding = waiting[0]
        member.pursuing_since_s = now_s
        self._findings.assign(finding.key, member.name)
        know = self._findings.know(finding)
        self._crew.send(member.name, protocol.Pursue(finding.key, know.artifact, seconds))

    # --- the end ----------------------------------------------------------------------------

    def _wind_up(self, ended: str) -> None:
        """Stop the workers and write everything. An error of writing is kept, and stops nothing."""
        for member in self._members.values():
            self._stop(member)
        until_s = self._clock() + STOPPING_S
        while self._members and self._clock() < until_s:
            self._kept(lambda: self._take_in(_LOOK_S))
        self._crew.close()
        self._kept(self._last_tick)
        self._kept(lambda: self._store.note("ended", ended))
        self._kept(lambda: self._say(events.Ended(ended, self.snapshot())))
        self._kept(self._report)

    def _kept(self, do: Callable[[], None]) -> None:
        try:
            do()
        except (CannotSave, TargetError, UserError) as exc:
            self._error = self._error or exc

    # --- telling ----------------------------------------------------------------------------

    def _say(self, event: events.Event) -> None:
        at_s = self.elapsed_s()
        if not isinstance(event, events.Snapshot):
            self._store.event(at_s, event_name(event), event_text(event))
        self._tell(event, at_s)

    def _say_plateau(self) -> None:
        plateau = self._totals.plateau
        if plateau and not self._plateau:
            since = self._totals.total("last_new")
            self._say(events.Plateau(since, len(self._totals.coverage)))
        self._plateau = plateau

    def _workers(self) -> tuple[events.WorkerState, ...]:
        return tuple(
            events.WorkerState(h.name, f"{h.phase} {h.detail}".strip(), h.programs, h.server_bytes)
            for h in self._members.values()
        )

    def snapshot(self) -> events.Snapshot:
        """The campaign as it stands."""
        return self._totals.snapshot(self.elapsed_s(), self._findings, self._workers())
