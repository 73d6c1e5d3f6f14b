"""Random structural models of a diagram, and the incentives of Everitt et al. 2021 by definition.

Chance nodes are binary functions of their parents and a fair bit of their own; utilities are small
whole numbers, so that sums are exact and ties are ties.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import networkx as nx
import numpy as np

from offswitch.theory.influence.diagram import InfluenceDiagram


@dataclass
class Structural:
    diagram: InfluenceDiagram
    order: list[str]
    noise: dict[str, np.ndarray]
    """Chance node -> [E] its bit in each of the E equally likely settings."""
    tables: dict[str, np.ndarray]
    """Chance: [parents..., bit]; utility: [parents...]."""

    def parents(self, node):
        return sorted(self.diagram.graph.predecessors(node))

    def run(self, decision, forced=None, tables=None):
        """Node -> [E] values; `decision` and `forced` hold numbers or [E] arrays."""
        size = len(next(iter(self.noise.values()))) if self.noise else 1
        tables = {**self.tables, **(tables or {})}
        fixed = {self.diagram.decision: decision, **(forced or {})}
        value = {}
        for node in self.order:
            if node in fixed:
                value[node] = np.broadcast_to(fixed[node], size)
                continue
            index = tuple(value[parent] for parent in self.parents(node))
            if node in self.noise:
                index = (*index, self.noise[node])
            value[node] = np.broadcast_to(tables[node][index], size)
        return value

    def utility(self, value):
        return sum(value[node] for node in self.diagram.utilities)

    def context(self, value, observed):
        code = np.zeros(len(next(iter(value.values()))), dtype=int)
        for node in sorted(observed):
            code = 2 * code + value[node]
        return code

    def totals(self, observed, tables=None):
        """[contexts, 2] utility summed over the settings of each context, for each decision."""
        found = np.zeros((2 ** len(observed), 2))
        for choice in (0, 1):
            value = self.run(choice, tables=tables)
            np.add.at(found[:, choice], self.context(value, observed), self.utility(value))
        return found

    def best(self, observed, tables=None):
        return self.totals(observed, tables).max(axis=1).sum()


def random_model(diagram, generator):
    order = list(nx.topological_sort(diagram.graph))
    chance = [n for n in order if n not in diagram.utilities | {diagram.decision}]
    bits = list(itertools.product((0, 1), repeat=len(chance)))
    noise = {node: np.array([row[i] for row in bits]) for i, node in enumerate(chance)}
    tables = {}
    for node in order:
        n_parents = diagram.graph.in_degree(node)
        if node in chance:
            tables[node] = _chance_table(n_parents, generator)
        elif node in diagram.utilities:
            tables[node] = _utility_table(n_parents, generator)
    return Structural(diagram, order, noise, tables)


def _parity(n_axes, used):
    grid = np.indices((2,) * n_axes)
    return sum((grid[axis] for axis in used), start=np.zeros((2,) * n_axes, dtype=int)) % 2


def _chance_table(n_parents, generator):
    if generator.random() < 0.2:
        return generator.integers(2, size=(2,) * (n_parents + 1))
    used = np.flatnonzero(generator.random(n_parents + 1) < 0.6)
    return _parity(n_parents + 1, used)


def _utility_table(n_parents, generator):
    if generator.random() < 0.3:
        return generator.integers(-2, 3, size=(2,) * n_parents)
    used = np.flatnonzero(generator.random(n_parents) < 0.7)
    return int(generator.integers(1, 3)) * _parity(n_parents, used)


def shows_value_of_information(model, node):
    observed = set(model.parents(model.diagram.decision)) - {node}
    return model.best(observed | {node}) > model.best(observed)


def shows_value_of_control(model, node, generator):
    observed = set(model.parents(model.diagram.decision))
    shape = (2,) * model.diagram.graph.in_degree(node)
    rules = list(itertools.product((0, 1), repeat=int(np.prod(shape, dtype=int))))
    if len(rules) > 16:
        rules = [rules[i] for i in generator.integers(len(rules), size=16)]
    was = model.best(observed)
    for rule in rules:
        table = np.stack([np.array(rule).reshape(shape)] * 2, axis=-1)
        if model.best(observed, {node: table}) > was:
            return True
    return False


def _optimal_choices(model, observed):
    totals = model.totals(observed)
    return [np.flatnonzero(row == row.max()).tolist() for row in totals]


def shows_response_incentive(model, node):
    decision = model.diagram.decision
    observed = set(model.parents(decision))
    usual = model.context(model.run(0), observed)
    changed = [model.context(model.run(0, {node: x}), observed) for x in (0, 1)]
    return all(
        any((np.array(policy)[other] != np.array(policy)[usual]).any() for other in changed)
        for policy in itertools.product(*_optimal_choices(model, observed))
    )


def shows_instrumental_control_incentive(model, node):
    """In some context with one optimal decision; ties are left out, which only hides incentives."""
    observed = set(model.parents(model.diagram.decision))
    context = model.context(model.run(0), observed)
    would = [model.run(choice)[node] for choice in (0, 1)]
    for where, options in enumerate(_optimal_choices(model, observed)):
        here = context == where
        if len(options) > 1 or not here.any():
            continue
        plain = model.utility(model.run(options[0]))[here].sum()
        for other in would:
            if model.utility(model.run(options[0], {node: other}))[here].sum() != plain:
                return True
    return False
