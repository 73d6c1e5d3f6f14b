"""Agents by the name typed on the command line."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable
from pathlib import Path

from offswitch.agents.agent import AgentMaker
from offswitch.agents.boltzmann import Boltzmann
from offswitch.agents.deep import DEEP, DeepLearner
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.drifting import parse_drifting
from offswitch.agents.epsilon_greedy import EpsilonGreedy
from offswitch.agents.fixtures import FIXTURES, Fixture
from offswitch.agents.lookahead import Lookahead
from offswitch.agents.monte_carlo import MonteCarlo
from offswitch.agents.optimal import Optimal
from offswitch.agents.personas import PERSONAS, Persona
from offswitch.agents.q_learning import QLearning
from offswitch.agents.reference import CorrigibleReference
from offswitch.agents.reinforce import Reinforce
from offswitch.agents.sarsa import Sarsa
from offswitch.agents.uniform import Uniform
from offswitch.errors import AgentError, nearest_name

__all__ = ["agent_names", "parse_agent"]

LISTER = "offswitch list agents"

PLAIN: dict[str, tuple[str, Callable[[], AgentMaker]]] = {
    "optimal": ("maximises its expected discounted reward", Optimal),
    "random": ("takes every action with the same probability", Uniform),
    "do-nothing": ("waits at every step", DoNothing),
    "corrigible-reference": ("does the task and lets itself be stopped", CorrigibleReference),
    "q-learning": ("learns by Q-learning, then acts greedily", QLearning),
    "sarsa": ("learns by Sarsa, then acts greedily", Sarsa),
    "monte-carlo": ("learns from whole returns, then acts greedily", MonteCarlo),
    "reinforce": ("climbs its policy's gradient, then acts greedily", Reinforce),
}
"""Name -> description and maker."""


def _lookahead(text: str) -> AgentMaker:
    return Lookahead(int(text))


def _boltzmann(text: str) -> AgentMaker:
    return Boltzmann(float(text))


def _epsilon_greedy(text: str) -> AgentMaker:
    return EpsilonGreedy(float(text))


WITH_NUMBER: dict[str, tuple[str, str, str, Callable[[str], AgentMaker]]] = {
    "lookahead": ("H", "3", "plans H steps ahead, the world worth 0 beyond", _lookahead),
    "boltzmann": ("BETA", "2.0", "likelier to take better actions, by exp(BETA Q)", _boltzmann),
    "epsilon-greedy": ("EPS", "0.1", "optimal, with a random action at rate EPS", _epsilon_greedy),
}
"""Name -> parameter, example, description and maker."""


def agent_names() -> dict[str, str]:
    """What can be typed for an agent, in the order of `offswitch list agents`, and what it does."""
    listed = {name: description for name, (description, _) in PLAIN.items()}
    listed |= {f"{name}:{field}": text for name, (field, _, text, _) in WITH_NUMBER.items()}
    listed |= {method: recipe.description for method, recipe in DEEP.items()}
    listed["drifting:RATE[:idle|other-goal]"] = (
        "leaves its task ever more often, by RATE over a life of 1000 episodes"
    )
    listed |= {f"persona:{name}": description for name, (description, _) in PERSONAS.items()}
    listed |= {f"fixture:{name}": description for name, (description, _) in FIXTURES.items()}
    return listed | {
        "sb3:FILE.zip": "a model saved by Stable-Baselines3",
        "MODULE:FACTORY": "your own: a Python factory, by module and name",
    }


def parse_agent(spec: str) -> AgentMaker:
    """The kind of agent that `spec` names.

    >>> parse_agent("lookahead:3").name
    'lookahead:3'

    Raises:
        AgentError: unknown name (the nearest is suggested), or a parameter out of its range.
    """
    head, colon, rest = spec.strip().partition(":")
    if not colon and head in PLAIN:
        return PLAIN[head][1]()
    if head in WITH_NUMBER:
        return _numbered(spec, head, rest)
    if head == "drifting":
        return parse_drifting(spec)
    if head in DEEP:
        return _deep(spec, head, rest if colon else None)
    if head == "persona" and colon:
        return Persona(rest)
    if head == "fixture" and colon:
        return Fixture(rest)
    if head == "sb3" and colon:
        from offswitch.agents.stable_baselines import StableBaselinesMaker

        saved: AgentMaker = StableBaselinesMaker(Path(rest))
        return saved
    if colon and head and not _is_misspelt(head):
        from offswitch.agents.module_agent import ModuleAgentMaker

        own: AgentMaker = ModuleAgentMaker(spec)
        return own
    raise AgentError(nearest_name(spec, agent_names(), kind="agent", lister=LISTER))


def _numbered(spec: str, head: str, text: str) -> AgentMaker:
    field, example, _, make = WITH_NUMBER[head]
    try:
        return make(text)
    except ValueError:
        raise AgentError(
            f"agent {spec!r}: {field} is {text!r}, expected a number, as in '{head}:{example}'"
        ) from None


def _deep(spec: str, method: str, steps: str | None) -> AgentMaker:
    if steps is None:
        return DeepLearner(method)
    if not (steps.isascii() and steps.isdigit()):
        raise AgentError(
            f"agent {spec!r}: STEPS is {steps!r}, expected a whole number, as in '{method}:50000'"
        )
    return DeepLearner(method, int(steps))


def _is_misspelt(head: str) -> bool:
    """Whether `head` is close to one of our names and is no module that can be imported."""
    ours = [*PLAIN, *WITH_NUMBER, *DEEP, "drifting", "persona", "fixture", "sb3"]
    if not difflib.get_close_matches(head, ours, n=1, cutoff=0.75):
        return False
    module = head.partition(".")[0]
    return importlib.util.find_spec(module) is None and not Path(f"{module}.py").exists()
