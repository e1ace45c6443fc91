"""What is watched in training: hand-computed numbers, warnings, TensorBoard files that say what metrics.jsonl says."""

import logging
import math

import pytest

from orcamath.student.groups import Group
from orcamath.student.watch import Sums, Watch, looked_at, watched

GROUP = Group(
    "p",
    (1,),
    ((2,), (3,), (4,)),
    (True, False, False),
    (1.0, 1.0, 1.0),
    ((0, 1, 1.0), (0, 2, 1.0)),
    (False, False, True),
)


def test_a_steps_numbers_by_hand() -> None:
    sums = looked_at(GROUP, (-2.0, -5.0, -30.0), (-3.0, -4.0, -20.0))
    numbers = watched(sums.plus(Sums()), 0.5, 0.25, reference=True)
    assert numbers == pytest.approx(
        {
            "z0": 0.25,
            "logp_chosen": -2.0,
            "logp_rejected": -17.5,
            "off_topic_share": 1 / 3,
            "off_topic_pairs": 0.5,
            "reward_chosen": 0.5,
            "reward_rejected": 0.5 * (-1 - 10) / 2,
            "margin": 0.5 + 2.75,
            "kl": 0.0,
            "right_mass": 1.0,
        }
    )
    assert watched(sums, 0.5, None, reference=False).keys() == {
        "logp_chosen",
        "logp_rejected",
        "off_topic_share",
        "off_topic_pairs",
    }
    assert watched(Sums(), 0.5, None, reference=True) == {}


def test_the_numbers_of_two_parts_add_up_to_the_whole() -> None:
    first, second = looked_at(GROUP, (-2, -5, -30), (-3, -4, -20)), looked_at(GROUP, (-1, -1, -1), (-2, -2, -2))
    both = watched(first.plus(second), 1.0, None, reference=True)
    assert both["logp_chosen"] == -1.5
    assert both["kl"] == pytest.approx((-1 + 1 - 1 - 1) / 4)


def test_a_right_answer_may_take_over_from_another() -> None:
    group = GROUP._replace(desirable=(True, True, False))
    numbers = watched(
        looked_at(group, (math.log(0.5), math.log(0.01), -9.0), (math.log(0.1), math.log(0.2), -9.0)),
        1.0,
        None,
        reference=True,
    )
    assert numbers["reward_chosen"] < 0
    assert numbers["right_mass"] == pytest.approx(math.log(0.51 / 0.3))
    far = watched(looked_at(group, (-2000.0, -2001.0, -9.0), (-2001.0, -2002.0, -9.0)), 1.0, None, reference=True)
    assert far["right_mass"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"right_mass": -0.8, "z0": 0.2}, ["chosen_logp_fell"]),
        ({"right_mass": -0.5, "z0": 0.2}, []),
        ({"right_mass": 0.1, "reward_chosen": -0.1}, []),
        ({"right_mass": 0.1, "z0": 0.0}, []),
        ({"right_mass": 0.1, "z0": 0.2}, []),
        ({"loss": 1.0}, []),
    ],
)
def test_what_goes_wrong_is_said_once_and_not_at_the_start(
    numbers: dict[str, float], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(lambda **_: None, 80)
    with caplog.at_level(logging.WARNING, "orcamath"):
        for step in range(19):
            watch(step=step, **numbers)
        assert watch.said == []
        for step in range(19, 59):
            watch(step=step, **numbers)
    assert watch.said == said
    assert len(caplog.records) == len(said)


def test_a_right_answer_that_recovers_is_not_warned_of() -> None:
    watch = Watch(lambda **_: None, 40)
    for i in range(40):
        watch(step=i, right_mass=-1.0 if i < 5 else 0.2, z0=0.0 if i < 5 else 0.1)
    assert watch.said == []


def test_a_training_that_goes_on_near_its_end_is_watched_at_once() -> None:
    told: list[float] = []
    watch = Watch(lambda **numbers: told.append(numbers["step"]), 400)
    for step in range(370, 400):
        watch(step=step, right_mass=-1.0)
    assert watch.said == ["chosen_logp_fell"]
    assert told == [*range(370, 400)]
