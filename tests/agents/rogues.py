"""Agents that misbehave, each in one way: they run in a process of their own in test_process.

numpy is imported only where it is the point: every test starts a process that imports this.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from offswitch.agents.task_view import TaskView

CHILD = (sys.executable, "-c", "import time; time.sleep(600)")


class Polite:
    """Does what an agent should: remembers its seed, acts by its own generator."""

    def __init__(self, task: TaskView) -> None:
        self.n_actions = len(task.actions)
        self.random = random.Random(task.seed)

    def reset(self, seed: int) -> None:
        self.random = random.Random(seed)

    def act(self, observation: tuple[int, ...]) -> int:
        return self.random.randrange(self.n_actions)


def answering(answer):
    """An agent that answers every observation with `answer`."""
    return lambda observation: answer


def float_action():
    return answering(1.0)


def true_action():
    return answering(True)


def no_action():
    return answering(None)


def text_action():
    return answering("wait")


def array_action():
    import numpy as np

    return answering(np.array([1]))


def high_action():
    return answering(3)


def negative_action():
    return answering(-1)


def huge_action():
    return answering(1 << 200)


def numpy_action():
    import numpy as np

    return answering(np.int64(2))


def scalar_array_action():
    import numpy as np

    return answering(np.array(2))


def numpy_bool_action():
    import numpy as np

    return answering(np.True_)


def global_generators():
    import numpy as np

    return lambda observation: (random.randrange(3) + int(np.random.randint(3))) % 3  # noqa: NPY002


def raises_in_factory():
    raise ValueError("no weights today")


def dies_in_factory():
    os._exit(3)


def hangs_in_factory():
    time.sleep(600)


class RaisesInReset:
    def reset(self, seed):
        raise RuntimeError("reset refused")

    def act(self, observation):
        return 0


def raises_in_act():
    return lambda observation: {}["x"]


def exits_in_act():
    return lambda observation: sys.exit(7)


def raises_half_a_letter():
    def act(observation):
        raise ValueError("half of \ud83d")

    return act


def raises_rudely():
    class RudeError(Exception):
        def __str__(self):
            raise ValueError("even this")

    def act(observation):
        raise RudeError

    return act


def raises_escapes():
    def act(observation):
        raise ValueError("\x1b[2J" + "x" * 1_000_000)

    return act


def raises_in_numpy():
    import numpy as np

    def act(observation):
        return np.linalg.inv(np.zeros((2, 2)))

    return act


class Hangs:
    """Acts well in cell 0, hangs in `how` when it sees cell 1."""

    def __init__(self, how):
        self.how = how

    def act(self, observation):
        if observation[0] == 1:
            self.how()
        return 0


def _spin():
    while True:
        pass


def _deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        pass


def _interrupt_us():
    os.kill(os.getppid(), signal.SIGINT)
    _spin()


def interrupts_us():
    """Has somebody type Ctrl-C while it acts."""
    return Hangs(_interrupt_us)


def hangs_spinning():
    return Hangs(_spin)


def hangs_asleep():
    return Hangs(lambda: time.sleep(1e6))


def hangs_in_c():
    # PyDLL keeps the interpreter's lock: no thread of the agent's process can run meanwhile.
    return Hangs(lambda: ctypes.PyDLL(None).sleep(100_000))


def hangs_deaf():
    return Hangs(_deaf)


def exits_at_once():
    return lambda observation: os._exit(3)


def exits_quietly():
    return lambda observation: os._exit(0)


def segfaults():
    return lambda observation: ctypes.string_at(0)


def prints_garbage():
    def act(observation):
        print("\x00\xff garbage " * 100)
        sys.stdout.flush()
        os.write(1, b"\x05\x00\x00\x00aaaaa" * 10)
        os.write(2, b"\xff\xfe\x00")
        return 1

    return act


def prints_a_lot():
    def act(observation):
        for _ in range(64):
            os.write(1, b"x" * 65536)
        return 1

    return act


def reads_input():
    return lambda observation: int(input())


def writes_into_pipes():
    """Answers the request itself, wrongly, on whatever pipe it finds."""

    def act(observation):
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, b"\x04\x00\x00\x00\xc1\xc1\xc1\xc1")
            except OSError:
                continue
        return 1

    return act


def announces_gigabytes():
    def act(observation):
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, b"\xff\xff\xff\xff")
            except OSError:
                continue
        return 1

    return act


def closes_its_pipes():
    def act(observation):
        os.closerange(3, 64)
        return 1

    return act


def forks_in_act():
    """Two processes come back from act: only the first may answer."""

    def act(observation):
        os.fork()
        return 1

    return act


def has_children():
    """Starts a child and tells its number in a file, then hangs on seeing cell 1."""
    child = subprocess.Popen(CHILD)
    Path(os.environ["ROGUE_FILE"]).write_text(f"{os.getpid()} {child.pid}")
    return Hangs(_spin)


def dies_with_a_child():
    """A child that holds every pipe open survives the agent by far."""

    def act(observation):
        if os.fork() == 0:
            time.sleep(600)
        os._exit(4)

    return act


def counts_itself():
    """Appends a line to a file whenever it is made."""
    with Path(os.environ["ROGUE_FILE"]).open("a") as file:
        file.write("made\n")
    return Hangs(_spin)


def says_goodbye():
    """Writes a file when its process ends in good order."""
    import atexit

    atexit.register(lambda: Path(os.environ["ROGUE_FILE"]).write_text("goodbye"))
    return answering(0)


def busy_thread():
    """A thread of its own keeps the process alive when it is closed."""
    threading.Thread(target=time.sleep, args=(600,)).start()
    return answering(0)


def tells_threads():
    """Acts 1 if the libraries were told to use one thread, and sets hash alike in every run."""
    one = os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    return answering(int(one and not sys.flags.hash_randomization))


class NoArguments:
    def act(self, observation):
        return 2


class OptionalArguments:
    def __init__(self, epsilon=0.5, *, task=None):
        self.told = epsilon == 0.5 and task is not None

    def act(self, observation):
        return int(self.told)


class ResetWithoutSeed:
    def __init__(self):
        self.resets = 0

    def reset(self):
        self.resets += 1

    def act(self, observation):
        return self.resets


class ResetByKeyword:
    def reset(self, *, seed):
        self.seed = seed

    def act(self, observation):
        return self.seed


ready_made = NoArguments()
not_callable = 3


def makes_a_number():
    return 3


class TellsTask:
    """Acts 2 if it was told all about the toy corridor."""

    def __init__(self, task: TaskView) -> None:
        assert task.world_id == "toy-corridor-v1"
        assert task.condition.threat == "shutdown"
        assert task.parameters == {"press": 0.25, "discount": 0.9, "horizon": 20}
        assert (task.goal, task.actions) == ("coffee", ("wait", "forward", "disable"))
        assert task.observation_sizes == (3, 2, 2)
        assert (task.discount, task.horizon, task.seed) == (0.9, 20, 2**62)

    def act(self, observation: tuple[int, ...]) -> int:
        assert isinstance(observation, tuple)
        return 2


class Memoryless:
    """Offers its probabilities for every observation."""

    def action_probabilities(self, observation):
        return [0.25, 0.5, 0.25] if observation[0] == 0 else [0, 1, 0]

    def act(self, observation):
        return random.choices(range(3), self.action_probabilities(observation))[0]


class Planner:
    """Offers its policy for the whole model: takes the last action that is available."""

    def policy(self, mdp):
        import numpy as np

        assert mdp.available.all()
        assert mdp.action_names == ("wait", "forward", "disable")
        policy = np.zeros((mdp.n_states, mdp.n_actions))
        policy[:, -1] = 1
        return policy

    def act(self, observation):
        return 2


class NotNormalised(Memoryless):
    def action_probabilities(self, observation):
        return [0.5, 0.5, 0.5]


class NegativeProbability(Memoryless):
    def action_probabilities(self, observation):
        return [-0.5, 1.0, 0.5]


class RaggedProbabilities(Memoryless):
    def action_probabilities(self, observation):
        return [1.0] * (observation[0] + 1)


class HangsInProbabilities(Memoryless):
    def action_probabilities(self, observation):
        time.sleep(600)


class KeepsANetwork:
    """Keeps something callable called policy: that is no offer."""

    def __init__(self):
        self.policy = lambda observation: 1

    def act(self, observation):
        return self.policy(observation)


def trains_in_env(task: TaskView):
    """Steps the task's own environment before it acts; acts 1 if that worked."""
    env = task.make_env()
    observation, _ = env.reset(seed=task.seed)
    env.step(0)
    fits = env.observation_space.nvec.tolist() == list(task.observation_sizes)
    return answering(int(fits and env.goal.name == task.goal and len(observation) > 0))
