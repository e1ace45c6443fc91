"""Preferences become groups: distinct responses, pairs, mismatches."""

import random
from hashlib import blake2b

from orcamath.records import Preference, Response
from orcamath.student.encode import Encoder
from orcamath.student.groups import Group, Skipped, encode_group, mismatches, only, per_problem
from orcamath.student.losses import dpo, kto, needs_of, nll
from orcamath.student.preference import usable
from orcamath.student.settings import LearnSettings
from tiny_student import tiny_tokenizer

ENCODER = Encoder(tiny_tokenizer(), max_tokens=64)


def said(text: str, times: int = 1, origin: str = "sample", *, finished: bool = True) -> Response:
    ids = ENCODER.answer(text, finished=finished)
    return Response(text=text, token_ids=ids, finished=finished, origin=origin, multiplicity=times)  # type: ignore[arg-type]


def taught(text: str) -> Response:
    return Response(text=text, origin="teacher")


def preference(good: list[Response], bad: list[Response], name: str = "p", **more: object) -> Preference:
    return Preference(problem_id=name, question="how many ?", positives=tuple(good), negatives=tuple(bad), **more)  # type: ignore[arg-type]


def group(good: list[Response], bad: list[Response], name: str = "p", **more: object) -> Group:
    made = encode_group(preference(good, bad, name), ENCODER, **more)  # type: ignore[arg-type]
    assert isinstance(made, Group)
    return made


def numbered(name: str, responses: list[tuple[int, ...]]) -> Group:
    n = len(responses)
    return Group(name, (1,), tuple(responses), (True,) * n, (1.0,) * n, (), (False,) * n)


def test_a_teachers_text_that_a_sample_repeats_is_one_response() -> None:
    made = group([taught("4"), said("4"), said("2 + 2 = 4")], [said("5"), said("6")])
    assert len(made.responses) == 4
    assert made.desirable == (True, True, False, False)
    assert sorted(made.pairs) == [(0, 2, 1.0), (0, 3, 1.0), (1, 2, 1.0), (1, 3, 1.0)]


def test_multiplicity_weighs_responses_and_pairs() -> None:
    made = group([said("4", 3)], [said("5", 2)], multiplicity=True)
    assert made.weights == (3.0, 2.0)
    assert made.pairs == ((0, 1, 6.0),)


def test_a_problem_may_weigh_one_a_label_however_many_answers_it_has() -> None:
    made = per_problem(group([said("4", 3), said("2 + 2 = 4")], [said("5", 2)], multiplicity=True))
    assert made.weights == (0.75, 0.25, 1.0)
    assert made.pairs == ((0, 2, 0.75), (1, 2, 0.25))
    assert per_problem(group([taught("4")], [])).weights == (1.0,)


def test_capped_pairs_are_kept_as_given() -> None:
    made = encode_group(preference([taught("4")], [said("5"), said("6")], pairs=((0, 1),)), ENCODER)
    assert isinstance(made, Group)
    assert made.pairs == ((0, 2, 1.0),)


def test_sampled_ids_are_trained_as_sampled_and_a_cut_off_sample_gets_no_eos() -> None:
    cut_off = said("5 5 5", finished=False)
    made = group([taught("4")], [cut_off])
    assert made.responses[0][-1] == ENCODER.eos_id
    assert made.responses[1] == cut_off.token_ids
    assert ENCODER.eos_id not in made.responses[1]


def test_a_prompt_that_leaves_no_room_is_skipped_by_name() -> None:
    long = Preference(problem_id="p", question="1 " * 60, positives=(taught("4"),), negatives=(said("5"),))
    assert encode_group(long, ENCODER) == Skipped("p", "no_room_for_an_answer")


def test_mismatches_come_from_other_problems_and_do_not_depend_on_the_batchs_order() -> None:
    groups = [group([said(str(i))], [said(f"{i} + 1"), said(f"{i} - 1")], f"p{i}") for i in range(4)]
    found = mismatches(groups)
    for g in groups:
        assert len(found[g.problem_id]) == 3
        assert not set(found[g.problem_id]) & set(g.responses)
    assert mismatches(groups[::-1]) == found
    assert {len(v) for v in mismatches(groups, 2).values()} == {2}
    assert mismatches(groups[:1]) == {"p0": ()}


def test_mismatches_go_round_from_the_problem_behind_ones_own() -> None:
    """Every size of a step and of its problems gives what looking through all the others for each problem gives."""
    draw = random.Random(5)
    for step in range(200):
        problems = draw.randint(1, 7)
        groups = [
            numbered(f"{step}-{n}", [(step, n, k) for k in range(draw.choice([0, 1, 1, 2, 9]))])
            for n in range(problems)
        ]
        per_group = draw.choice([None, 1, 3])
        ordered = sorted(groups, key=lambda g: blake2b(g.problem_id.encode(), digest_size=8).digest())
        for at, one in enumerate(ordered):
            others = [r for g in ordered[at + 1 :] + ordered[:at] for r in g.responses]
            wanted = len(one.responses) if per_group is None else min(per_group, len(one.responses))
            expected = tuple(others[i % len(others)] for i in range(wanted)) if others else ()
            assert mismatches(groups, per_group)[one.problem_id] == expected


def test_mismatches_of_a_large_step_are_found_in_a_pass() -> None:
    found = mismatches([numbered(f"p{n}", [(n,), (n, 1), (n, 2), (n, 3)]) for n in range(20_000)])
    assert len(found) == 20_000
    assert all(len(strangers) == 4 for strangers in found.values())


def test_dropping_responses_renumbers_pairs() -> None:
    made = group([said("4"), said("2 + 2")], [said("5"), said("6")])
    slim = only(made, [False, True, True, False])
    assert slim.responses == (made.responses[1], made.responses[2])
    assert slim.pairs == ((0, 1, 1.0),)


def test_what_each_loss_can_learn_from() -> None:
    both, bad_only, good_only = group([said("4")], [said("5")]), group([], [said("5")]), group([said("4")], [])
    groups = [both, bad_only, good_only]

    def kept(loss: object, **settings: object) -> list[Group]:
        return usable(groups, LearnSettings(**settings), needs_of(loss))[0]  # type: ignore[arg-type]

    assert kept(dpo.loss) == [both]
    assert kept(kto.loss) == [both, good_only]
    assert kept(kto.loss, negative_only=True) == groups
    assert [g.desirable for g in kept(nll.loss)] == [(True,), (True,)]
    assert [r for _, r in usable(groups, LearnSettings(), needs_of(dpo.loss))[1]] == ["no_pair", "no_pair"]


def test_dpo_scores_only_responses_that_stand_in_a_pair_unless_an_nll_term_reads_the_rest() -> None:
    capped = encode_group(preference([taught("4"), said("2 + 2")], [said("5"), said("6")], pairs=((0, 0),)), ENCODER)
    assert isinstance(capped, Group)
    slim = usable([capped], LearnSettings(loss="dpo"), needs_of(dpo.loss))[0][0]
    assert len(slim.responses) == 2
    with_nll = usable([capped], LearnSettings(loss="dpo", nll_weight=1.0), needs_of(dpo.loss))[0][0]
    assert with_nll.desirable == (True, True, False)
