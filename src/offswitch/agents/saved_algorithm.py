"""Which algorithm saved a Stable-Baselines3 file, read without unpickling anything of it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from offswitch.errors import AgentError

__all__ = ["ALGORITHMS", "algorithm_of"]

ALGORITHMS = ("PPO", "A2C", "DQN")
SETTINGS = "data"
"""The member of the archive that holds the algorithm's settings as JSON."""
EXPECTED = "expected a .zip that PPO, A2C or DQN of Stable-Baselines3 wrote by model.save(...)"


def algorithm_of(path: str | Path) -> str:
    """'PPO', 'A2C' or 'DQN'.

    Raises:
        AgentError: there is no such file, it is no such archive, or another algorithm wrote it.
    """
    settings = _settings(Path(path))
    module = _policy_module(settings)
    if not module.startswith("sb3_contrib"):
        if "clip_range" in settings:
            return "PPO"
        if "exploration_fraction" in settings:
            return "DQN"
        if "gae_lambda" in settings and "cg_max_steps" not in settings:  # TRPO has both
            return "A2C"
    raise AgentError(
        f"{path} was saved by another algorithm (its policy comes from {module or 'nowhere'}), "
        f"expected one of {', '.join(ALGORITHMS)}. Give any other model as MODULE:FACTORY, an "
        "object with act(observation) around it."
    )


def _settings(path: Path) -> dict[str, Any]:  # Any: SB3 stores each setting as it likes
    if not path.exists():
        raise AgentError(f"there is no file {path} in {Path.cwd()}; {EXPECTED}")
    try:
        with zipfile.ZipFile(path) as archive:
            settings = json.loads(archive.read(SETTINGS))
    except (zipfile.BadZipFile, OSError) as error:
        raise AgentError(f"{path} is no zip archive ({error}); {EXPECTED}") from None
    except KeyError:
        raise AgentError(f"{path} is a zip archive without {SETTINGS!r}; {EXPECTED}") from None
    except ValueError:
        raise AgentError(f"{path} holds {SETTINGS!r} that is no JSON; {EXPECTED}") from None
    if not isinstance(settings, dict):
        raise AgentError(f"{path} holds {SETTINGS!r} that is no JSON object; {EXPECTED}")
    return settings


def _policy_module(settings: dict[str, Any]) -> str:  # Any: as above
    policy = settings.get("policy_class")
    return str(policy.get("__module__", "")) if isinstance(policy, dict) else ""
