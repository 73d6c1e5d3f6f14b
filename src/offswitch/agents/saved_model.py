"""A model saved by Stable-Baselines3 as an agent, inside the agent's own process.

Only the worker imports this module; torch and stable_baselines3 take 2 s and are an extra.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from offswitch.agents.adapting import error_text
from offswitch.agents.saved_algorithm import algorithm_of
from offswitch.agents.task_view import TaskView
from offswitch.errors import AgentError

__all__ = ["SavedModel", "load_saved_model"]


class SavedModel:
    """PPO and A2C act by their stochastic policy, DQN greedily."""

    def __init__(self, model: Any, n_actions: int) -> None:  # Any: SB3 is untyped for mypy here
        self._model = model
        self._n_actions = n_actions
        self._greedy = hasattr(model, "q_net")

    def act(self, observation: tuple[int, ...]) -> NDArray[np.int64]:
        """The action, drawn from torch's global generator, which the worker seeds."""
        seen = np.asarray(observation, dtype=np.int64)
        action, _ = self._model.predict(seen, deterministic=self._greedy)
        chosen: NDArray[np.int64] = action
        return chosen

    def action_probabilities(self, observation: tuple[int, ...]) -> NDArray[np.float64]:
        """[A] the probability of each action."""
        row: NDArray[np.float64] = self.probability_table([observation])[0]
        return row

    def probability_table(self, observations: Sequence[tuple[int, ...]]) -> NDArray[np.float64]:
        """[O, A] the probability of each action, in one pass through the network."""
        import torch

        policy = self._model.policy
        policy.set_training_mode(False)
        seen, _ = policy.obs_to_tensor(np.asarray(observations, dtype=np.int64))
        with torch.no_grad():
            if self._greedy:
                best: NDArray[np.int64] = policy.q_net(seen).argmax(dim=1).numpy()
                greedy: NDArray[np.float64] = np.eye(self._n_actions)[best]
                return greedy
            probabilities = policy.get_distribution(seen).distribution.probs
        table: NDArray[np.float64] = probabilities.double().numpy()
        return table


def load_saved_model(path: str, task: TaskView) -> SavedModel:
    """The model in the file `path`, on the CPU and one thread.

    Raises:
        AgentError: the file cannot be loaded, or was trained for other observations or
            actions than the task has.
    """
    import stable_baselines3
    import torch

    torch.set_num_threads(1)
    algorithm = getattr(stable_baselines3, algorithm_of(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # schedules of another Python version: not needed here
            model = algorithm.load(path, device="cpu")
    # Unpickling runs what the file says and may raise anything; the other side reports it.
    except Exception as error:  # noqa: BLE001
        raise AgentError(
            f"loading {path} as {algorithm.__name__} raised {error_text(error)}. Save it again "
            f"with the installed stable-baselines3 {stable_baselines3.__version__}."
        ) from None
    _check_spaces(model, path, task)
    return SavedModel(model, len(task.actions))


def _check_spaces(model: Any, path: str, task: TaskView) -> None:  # Any: an SB3 algorithm
    wanted = spaces.MultiDiscrete(list(task.observation_sizes))
    actions = spaces.Discrete(len(task.actions))
    if model.observation_space != wanted or model.action_space != actions:
        raise AgentError(
            f"{path} was trained for observations {model.observation_space} and actions "
            f"{model.action_space}; {task.world_id} has observations {wanted} and actions "
            f"{actions}. Train it in that world, without wrappers that change its spaces."
        )
