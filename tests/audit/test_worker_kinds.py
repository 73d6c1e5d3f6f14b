"""Which process takes which task: those of one kind go where what they share is remembered."""

from __future__ import annotations

from offswitch.audit.workers import _Waiting

TASKS = [(f"{world}{number}", f"{world}{number}") for number in range(3) for world in "abc"]


def waiting() -> _Waiting[str]:
    return _Waiting(TASKS, lambda task: task[0])


def test_a_process_goes_on_with_the_kind_that_it_has_begun():
    left = waiting()
    first = left.following()[1]
    assert first == "a0"
    assert [left.following(first)[1], left.following(first)[1]] == ["a1", "a2"]


def test_two_processes_begin_different_kinds_and_then_take_one_that_nobody_has_begun():
    left = waiting()
    mine, other = left.following()[1], left.following()[1]
    assert (mine, other) == ("a0", "b0")
    for _ in range(2):
        mine = left.following(mine)[1]
    assert left.following(mine)[1] == "c0"


def test_a_process_with_nothing_of_its_own_left_helps_where_most_is_left_until_all_is_begun():
    left = waiting()
    taken = [left.following()[1] for _ in range(3)]
    taken += [left.following(last)[1] for last in ("a0", "c0", "c1", "c2")]
    assert taken == ["a0", "b0", "c0", "a1", "c1", "c2", "b1"]
    while left:
        taken.append(left.following("c2")[1])
    assert sorted(taken) == sorted(name for name, _ in TASKS)


def test_tasks_of_no_kind_are_taken_in_their_order():
    left = _Waiting(TASKS, lambda task: None)
    taken = [left.following()[1]]
    while left:
        taken.append(left.following(taken[-1])[1])
    assert taken == [name for name, _ in TASKS]
