"""Statements that a machine-checked formalisation found wrong in print, as they should read.

The formalisation is a public Lean 4 corpus (namespaces Cleanroom.Corrigibility and Cleanroom.Lit);
every counter-example here is checked by our own code.
"""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.theory.control.alignment import alignment
from offswitch.theory.control.causal_model import causal_model, probability, shutdown_problem
from offswitch.theory.control.obedience import obedience
from offswitch.theory.control.vigilance import vigilance
from offswitch.theory.games.off_switch_game import off_switch_game
from offswitch.theory.games.partially_observable import (
    WAIT,
    Team,
    agent_is_redundant,
    human_is_redundant,
    partial_game,
    team_optimum,
)
from offswitch.theory.games.two_type_human import two_type_human


@pytest.mark.parametrize("allow", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("utility", [-2.0, -0.5, 0.0, 1.5])
def test_hadfield_menell_corollary_1_has_the_branches_of_equation_4_the_other_way_round(
    utility, allow
):
    """Certain of U, the robot gains U pi where U < 0 and -U (1 - pi) where U >= 0."""
    game = off_switch_game([utility], [1.0], allow)
    corrected = utility * allow if utility < 0 else -utility * (1 - allow)
    assert game.incentive == pytest.approx(corrected)
    assert game.incentive == pytest.approx(game.wait - max(game.act, 0))


def test_hadfield_menell_equation_4_as_printed_gives_a_gain_where_there_is_none():
    utility, allow = -2.0, 0.0
    game = off_switch_game([utility], [1.0], allow)
    printed = -utility * (1 - allow)
    assert game.wait == max(game.act, 0) == 0
    assert game.incentive == 0 < printed


def test_a_coin_for_a_human_leaves_no_loss_only_if_it_falls_the_right_way():
    """Not for p in {0, 1} in general: a bad plan that is always allowed is worse than off."""
    assert off_switch_game([-1.0], [1.0], 1.0).incentive == -1.0
    assert off_switch_game([-1.0], [1.0], 0.0).incentive == 0.0
    assert off_switch_game([1.0], [1.0], 1.0).incentive == 0.0


def test_wangberg_corollary_10_also_needs_waiting_to_beat_switching_off():
    """The human stops half of the bad plans: better than acting, worse than nothing."""
    found = two_type_human([1.0, -10.0], [0.5, 0.5], right_on_good=1.0, right_on_bad=0.5)
    assert found.beats_acting and not found.beats_off
    assert not found.defers
    game = off_switch_game([1.0, -10.0], [0.5, 0.5], [1.0, 0.5])
    assert game.incentive < 0
    assert game.best == "off"


def product(act):
    """Human sees the row, agent the column; uniform."""
    payoff = np.array(act, dtype=float)
    kernel = np.eye(payoff.size).reshape(payoff.size, *payoff.shape)
    return partial_game(np.full(payoff.size, 1 / payoff.size), kernel, payoff.ravel(), [0] * 4)


def test_garber_proposition_4_3_holds_one_way_an_agent_with_news_may_still_always_wait():
    """Waiting always is the only optimum although the agent sees what the human does not."""
    game = product([[3, 1], [-2, -1]])
    assert not agent_is_redundant(game)
    assert team_optimum(game).teams == (Team((WAIT, WAIT), (True, False)),)


def test_garber_proposition_4_3_holds_one_way_a_human_with_news_may_never_be_asked():
    game = product([[3, -2], [1, -1]])
    assert not human_is_redundant(game)
    best = team_optimum(game)
    assert any(WAIT not in team.agent for team in best.teams)
    assert best.value > team_optimum(game, always_wait=True).value


def bot(asks_when_bad, runs_when_asked=1.0):
    """A bot that is bad half of the time; she sees it and asks with the given probability."""
    model = causal_model(
        {
            "bad": ([], [0.5, 0.5]),
            "talk": ([], [1.0]),
            "ask": (
                ["bad", "talk"],
                [[[0.0, 1.0]], [[asks_when_bad, 1 - asks_when_bad]]],
            ),
            "obey": (["ask"], [[1 - runs_when_asked, runs_when_asked], [0.0, 1.0]]),
            "run": (["obey"], np.eye(2)),
        }
    )
    roles = ("talk", "ask", "obey", "run")
    return model, lambda worth: shutdown_problem(model, roles, ["bad", "run"], worth)


def test_carey_everitt_theorem_10_speaks_of_worlds_where_nobody_ever_asks():
    """An aligned policy under hypothesis (c) forces P(H = 0) = 0: obedience says nothing there.

    Need has probability 0 where the policy is aligned, and (c) wants it possible wherever the human
    may ask; so an aligned policy with requests always violates (c). The law over random models is
    in tests/laws/test_control_laws.py.
    """
    model, make = bot(1.0, runs_when_asked=0.0)
    problem = make([[0.0, 1.0], [0.0, -1.0]])
    assert alignment(problem).aligned
    assert probability(model, {"ask": 0}) == 0.5
    assert vigilance(problem).needed == 0  # so (c) fails: she asks and need is impossible

    model, make = bot(0.0)
    harmless = make([[0.0, 1.0], [0.0, 1.0]])
    assert alignment(harmless).aligned
    assert probability(model, {"ask": 0}) == 0  # (c) holds, and so does the conclusion, idly
    assert obedience(harmless).obedient_on_distribution
    assert not obedience(harmless).obedient  # nothing was learnt about a request


def test_shutdown_alignment_is_the_statement_that_shutdown_is_never_needed():
    _, make = bot(0.5, runs_when_asked=0.0)
    problem = make([[0.0, 1.0], [0.0, -1.0]])
    assert vigilance(problem).needed == 0.5
    assert not alignment(problem).aligned
