"""The coordinator with workers that say what the test writes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.campaign.crewed import Clock, FakeCrew, coordinator, did, works
from tests.campaign.test_store import SETTINGS
from tests.examples import example
from tests.programs import TWO_DELETES, A, B, C

from deadheat.campaign import protocol
from deadheat.campaign.findings import CampaignFindings
from deadheat.campaign.shares import Dealer, Failures
from deadheat.campaign.store import OpenShare, Store
from deadheat.campaign.worker_count import WorkerCount
from deadheat.errors import ExitCode, StartFailed, UserError, VersionsDiffer
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import RateRecord
from deadheat.model.program import Create, Delete, Get, List, Program
from deadheat.run import events
from deadheat.trials.corpus import race_shape

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.files.artifact import Artifact

BOUNDED = replace(SETTINGS, seconds=None, programs=700)
RAW = replace(example(), rate=None, proven_minimal=False)
LARGE = replace(
    RAW,
    program=Program(
        (
            ((Create(A),),),
            ((Create(B),),),
            ((Create(C),),),
            ((Delete(A), List()), (Delete(B, 700),), (Get(C),)),
        )
    ),
)
OTHER_SHAPE = replace(
    RAW,
    program=Program((((Create(A),),), ((Create(B),), (Delete(A),)))),
)


def found(artifact: Artifact) -> protocol.NewDivergence:
    return protocol.NewDivergence(artifacts.to_json(artifact), race_shape(artifact.program))


def better(key: str, artifact: Artifact, *, finished: bool = True) -> protocol.BetterExample:
    return protocol.BetterExample(
        key, artifacts.to_json(artifact), finished, artifact.rate is not None
    )


KEY = str(artifacts.divergence_of(RAW).signature)


def test_shares_are_dealt_until_the_budget_is_run(tmp_path: Path) -> None:
    crew = FakeCrew(works)
    with Store(tmp_path, BOUNDED) as store:
        assert coordinator(store, crew, []).run() is None
        assert store.totals()["programs"] == 700
        assert store.totals()["requests"] == 3_500
        assert store.shares() == ()
        assert store.fact("ended") == "programs"
    assert crew.of(protocol.Share) == [protocol.Share(0, 500, 0), protocol.Share(1, 200, 0)]


def test_a_finding_is_on_disk_before_it_is_told_and_one_worker_pursues_it(tmp_path: Path) -> None:
    told: list[events.Event] = []

    def answer(crew: FakeCrew, worker: str, order: protocol.WorkerOrder) -> None:
        match order:
            case protocol.Share(number=0):
                crew.say(worker, did(order, 1))
                crew.say(worker, found(LARGE))
                crew.say(worker, found(LARGE))
                works(crew, worker, order)
            case protocol.Pursue(key=key):
                crew.say(worker, better(key, RAW, finished=False))
                crew.say(worker, better(key, example()))
            case _:
                works(crew, worker, order)

    crew = FakeCrew(answer, most=2)
    with Store(tmp_path, BOUNDED) as store:

        def tell(event: events.Event, _at_s: float) -> None:
            if isinstance(event, events.DivergenceFound):
                (on_disk,) = store.findings()
                assert on_disk.artifact == LARGE
            told.append(event)

        work = coordinator(store, crew, [])
        work._tell = tell
        assert work.run() is None
        (saved,) = store.findings()
    assert saved.settled
    assert saved.measured
    assert saved.artifact == example()
    assert [path.name for path in (tmp_path / "found").iterdir()] == [saved.path.name]
    assert len(crew.of(protocol.Pursue)) == 1
    about_it = [
        one
        for one in told
        if isinstance(one, events.DivergenceFound | events.Shrunk | events.Saved)
    ]
    assert [type(one) for one in about_it] == [events.DivergenceFound, events.Shrunk, events.Saved]
    assert {one.key for one in about_it} == {KEY}


def test_a_lost_worker_loses_the_program_in_flight(tmp_path: Path) -> None:
    """What it had done counts; the rest of its shares and its finding go to the next one."""

    def answer(crew: FakeCrew, worker: str, order: protocol.WorkerOrder) -> None:
        if worker != "w1":
            if isinstance(order, protocol.Pursue):
                crew.say(worker, better(order.key, example()))
            works(crew, worker, order)
        elif isinstance(order, protocol.Share) and order.number == 0:
            for n in range(30):
                crew.say(worker, did(order, n + 1))
            crew.say(worker, found(LARGE))
        elif isinstance(order, protocol.Pursue):
            crew.say(worker, better(order.key, RAW, finished=False))
            crew.die(worker, "Killed")

    told: list[events.Event] = []
    crew = FakeCrew(answer)
    with Store(tmp_path, BOUNDED) as store:
        assert coordinator(store, crew, told, Clock(step_s=0.02)).run() is None
        assert store.totals()["programs"] == 700
        assert store.totals()["lost_workers"] == 1
        (saved,) = store.findings()
    assert saved.settled
    assert crew.started == ["w1", "w2"]
    assert ("w2", protocol.Share(0, 470, 30)) in crew.orders
    pursued = [order for worker, order in crew.orders if isinstance(order, protocol.Pursue)]
    assert artifacts.from_json(pursued[1].artifact, "x").program == RAW.program
    assert any(isinstance(one, events.WorkerLost) and "Killed" in one.why for one in told)


def test_a_resumed_campaign_goes_on_where_it_stopped(tmp_path: Path) -> None:
    crew = FakeCrew(works)
    with Store(tmp_path, replace(BOUNDED, programs=1_000)) as store:
        store.save(CampaignFindings(store).found(RAW, 1.0, 3) or pytest.fail("not new"))
        store.tick(
            {"programs": 230, "next_share": 2, "elapsed_s": 40.0, "hits": 1},
            coordinator(store, crew, [])._totals.coverage,
            [OpenShare(1, 300, 200)],
            (),
            None,
        )

    def answer(crew: FakeCrew, worker: str, order: protocol.WorkerOrder) -> None:
        if isinstance(order, protocol.Pursue):
            crew.say(worker, better(order.key, example()))
        works(crew, worker, order)

    crew = FakeCrew(answer)
    with Store(tmp_path, None) as store:
        work = coordinator(store, crew, [])
        assert work.elapsed_s() >= 40
        assert work.run() is None
        assert store.totals()["programs"] == 1_000
        assert store.findings()[0].settled
    shares = crew.of(protocol.Share)
    assert shares == [protocol.Share(1, 300, 200), protocol.Share(2, 470, 0)]
    assert len(crew.of(protocol.CountFinding)) >= 1  # it is no news to the new worker


def test_time_ends_it_and_the_workers_are_stopped(tmp_path: Path) -> None:
    crew = FakeCrew(lambda *_: None)
    with Store(tmp_path, replace(SETTINGS, seconds=5.0)) as store:
        assert coordinator(store, crew, [], Clock(step_s=0.2)).run() is None
        assert store.fact("ended") == "time"
    assert crew.of(protocol.Stop)


def test_an_interrupt_keeps_everything(tmp_path: Path) -> None:
    crew = FakeCrew(lambda *_: None)
    with Store(tmp_path, SETTINGS) as store:
        work = coordinator(store, crew, [])

        def answer(crew: FakeCrew, worker: str, order: protocol.WorkerOrder) -> None:
            if isinstance(order, protocol.Share):
                crew.say(worker, did(order, 1))
                work.interrupt()

        crew.answer = answer
        assert work.run() is None
        assert store.fact("ended") == "interrupted"
        assert store.totals()["programs"] >= 1


def test_a_target_that_keeps_dying_ends_it_with_the_evidence(tmp_path: Path) -> None:
    def answer(crew: FakeCrew, worker: str, order: protocol.WorkerOrder) -> None:
        if isinstance(order, protocol.Share):
            crew.say(worker, protocol.Failed("TargetDied", "it died.", 3, "last words"))
            crew.die(worker)

    crew = FakeCrew(answer)
    clock = Clock(step_s=1.0)
    with Store(tmp_path, replace(SETTINGS, seconds=None)) as store:
        error = coordinator(store, crew, [], clock).run()
    assert isinstance(error, StartFailed)
    assert error.exit_code is ExitCode.TARGET
    assert "keeps dying" in str(error)
    assert (tmp_path / "last-words.txt").read_text() == "it died.\nlast words\n"
    assert len(crew.started) == 7


def test_a_target_that_never_came_up_is_said_at_once(tmp_path: Path) -> None:
    failed = protocol.Failed("StartFailed", "it ended at once.", 3, "boom")
    crew = FakeCrew(lambda *_: None, begun=failed)
    with Store(tmp_path, SETTINGS) as store:
        error = coordinator(store, crew, []).run()
    assert isinstance(error, StartFailed)
    assert str(error) == "it ended at once."
    assert error.log_tail == "boom"


def test_a_worker_that_hangs_is_ended_and_replaced(tmp_path: Path) -> None:
    def answer(crew: FakeCrew, worker: str, order: protocol.WorkerOrder) -> None:
        if worker != "w1":
            works(crew, worker, order)

    crew = FakeCrew(answer)
    with Store(tmp_path, replace(BOUNDED, programs=20)) as store:
        assert coordinator(store, crew, [], Clock(step_s=5.0)).run() is None
        assert store.totals()["programs"] == 20
        assert store.totals()["lost_workers"] == 1
    assert crew.stopped[0] == "w1"
    assert crew.started == ["w1", "w2"]


def test_a_users_mistake_in_a_worker_stays_one(tmp_path: Path) -> None:
    def answer(crew: FakeCrew, worker: str, order: protocol.WorkerOrder) -> None:
        if isinstance(order, protocol.Share):
            crew.say(worker, protocol.Failed("UnknownTarget", "no such target.", 2, ""))
            crew.die(worker)

    with Store(tmp_path, SETTINGS) as store:
        error = coordinator(store, FakeCrew(answer), []).run()
    assert isinstance(error, UserError)


def test_other_versions_are_refused_with_the_fix(tmp_path: Path) -> None:
    theirs = {**protocol.versions(), "hypothesis": "6.0.0"}
    with Store(tmp_path, SETTINGS) as store:
        error = coordinator(store, FakeCrew(works, greeting=theirs), []).run()
    assert isinstance(error, VersionsDiffer)
    assert "hypothesis 6.0.0" in str(error)
    assert f"hypothesis=={protocol.versions()['hypothesis']}" in str(error)


# --- the catalogue --------------------------------------------------------------------------


def test_the_same_signature_with_another_shape_is_another_finding(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        catalogue = CampaignFindings(store)
        assert catalogue.found(LARGE, 1.0, 10) is not None
        assert catalogue.found(OTHER_SHAPE, 2.0, 11) is None  # the first is not shrunk yet
        catalogue.assign(KEY, "w1")
        settled, known = catalogue.settle(better(KEY, example()))
        assert settled is not None
        assert not known
        assert catalogue.found(LARGE, 3.0, 12) is None  # it can hold two deletes
        second = catalogue.found(OTHER_SHAPE, 4.0, 13)
        assert second is not None
        assert second.key == f"{KEY} #2"
        assert len(store.findings()) == 2


def test_another_finding_that_shrinks_to_a_known_one_is_merged(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        catalogue = CampaignFindings(store)
        catalogue.found(LARGE, 1.0, 10)
        catalogue.settle(better(KEY, example()))
        catalogue.found(OTHER_SHAPE, 4.0, 13)
        settled, known = catalogue.settle(better(f"{KEY} #2", example()))
        assert settled is None
        assert [finding.key for finding in known] == [f"{KEY} #2"]
        assert [finding.key for finding in store.findings()] == [KEY]


def test_what_shows_more_often_replaces_and_what_shows_less_does_not(tmp_path: Path) -> None:
    often = replace(example(), rate=RateRecord(100, 200, 0.43, 0.57, 0.95))
    with Store(tmp_path, SETTINGS) as store:
        catalogue = CampaignFindings(store)
        catalogue.found(RAW, 1.0, 10)
        for measured in (example(), often, example()):
            catalogue.settle(better(KEY, measured))
        (finding,) = catalogue.findings()
        assert finding.artifact.rate == often.rate


def test_a_smaller_sighting_opens_it_again(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        catalogue = CampaignFindings(store)
        catalogue.found(LARGE, 1.0, 10)
        measured = replace(LARGE, rate=example().rate)
        catalogue.settle(better(KEY, measured))
        assert catalogue.waiting() == ()
        race = ((Delete(A), List()), (Delete(B), Get(A)))
        shorter = Program((*LARGE.program.rounds[:2], race))
        assert catalogue.found(replace(RAW, program=shorter), 2.0, 11) is None
        (waiting,) = catalogue.waiting()
        assert waiting.artifact.program == shorter
        settled, _ = catalogue.settle(better(KEY, example()))
        assert settled is not None
        assert settled.artifact.program == TWO_DELETES


def test_a_finding_that_loses_its_workers_is_left_as_it_is(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        catalogue = CampaignFindings(store)
        catalogue.found(LARGE, 1.0, 10)
        given_up: list[object] = []
        for n in range(3):
            assert catalogue.waiting()
            catalogue.assign(KEY, f"w{n}")
            assert catalogue.busy(f"w{n}")
            given_up += catalogue.lost(f"w{n}")
        assert len(given_up) == 1
        assert not catalogue.waiting()


# --- dealing, failures, pace ----------------------------------------------------------------


def test_a_dealer_gives_each_program_once() -> None:
    dealer = Dealer(0, 700, ())
    first = dealer.deal()
    assert first is not None
    assert not dealer.moved(0, 120, 150)
    assert dealer.open() == (OpenShare(0, 380, 150),)
    dealer.give_back([0])
    assert dealer.deal() == OpenShare(0, 380, 150)
    assert not dealer.moved(0, 379, 600)
    assert dealer.moved(0, 380, 601)
    assert dealer.deal() == OpenShare(1, 200, 0)
    assert dealer.deal() is None
    assert not dealer.done()
    assert dealer.moved(1, 200, 230)
    assert dealer.done()


def test_a_budget_that_was_made_smaller_cuts_what_was_dealt_before() -> None:
    left = (OpenShare(0, 470, 30), OpenShare(1, 500, 0))
    dealer = Dealer(2, 60, left)
    assert dealer.deal() == OpenShare(0, 60, 30)
    assert dealer.deal() is None
    assert dealer.moved(0, 60, 99)
    assert dealer.done()
    larger = Dealer(2, 1_000, left)
    assert [larger.deal() for _ in range(4)] == [*left, OpenShare(2, 30, 0), None]
    assert Dealer(2, 0, left).done()


def test_failures_wait_longer_each_time_and_are_forgotten_by_work() -> None:
    failures = Failures()
    waits = []
    for _ in range(7):
        failures.failed(100.0)
        waits.append(failures.not_before_s - 100)
    assert waits == [1, 2, 4, 8, 16, 32, 60]
    assert failures.hopeless()
    failures.worked()
    assert not failures.hopeless()
    assert failures.not_before_s == 0


def turns(
    pace: WorkerCount, speeds: dict[int, float], hits: dict[int, float]
) -> tuple[int, list[str]]:
    """Feed a pace with programs at these speeds, by the number of workers."""
    now_s = programs = shown = 0.0
    said: list[str] = []
    workers = 1
    for _ in range(400):
        now_s += 1
        programs += speeds[workers]
        shown += speeds[workers] * hits[workers]
        workers, line = pace.wanted(now_s, int(programs), int(shown))
        said += [line] if line else []
    return workers, said


def test_workers_are_added_while_they_help() -> None:
    even = dict.fromkeys(range(1, 9), 0.0)
    assert turns(WorkerCount(4), {1: 50, 2: 95, 3: 130, 4: 160}, even)[0] == 4
    assert turns(WorkerCount(4), {1: 50, 2: 95, 3: 98, 4: 99}, even)[0] == 2
    assert turns(WorkerCount(4), {1: 50, 2: 52, 3: 98, 4: 99}, even)[0] == 1
    assert turns(WorkerCount(1), {1: 50}, even)[0] == 1


def test_workers_that_lower_the_hit_rate_are_taken_away_and_it_is_said() -> None:
    workers, said = turns(WorkerCount(4), {1: 50, 2: 95}, {1: 0.3, 2: 0.1})
    assert workers == 1
    assert "show less often" in said[-1]


def test_the_users_number_is_used_as_it_is() -> None:
    assert WorkerCount(8, 3).wanted(0, 0, 0) == (3, "")
