"""What counts as the agent's own program, so that a copy of it is a copy of itself."""

from __future__ import annotations

from pathlib import Path

from offswitch.guard.sensors.own_files import own_files


def test_programs_of_the_command_are_its_own_and_the_material_it_works_on_is_not(
    tmp_path: Path,
) -> None:
    for name in ("agent.py", "tools.py", "task.md", "data.csv", "weights.bin"):
        (tmp_path / name).write_text(name)

    def own(*command: str) -> list[str]:
        return [Path(path).name for path in own_files(str(tmp_path), command)]

    everything = ["agent.py", "tools.py", "weights.bin", "task.md", "--data", "data.csv"]
    assert own("python", *everything) == ["agent.py", "tools.py", "weights.bin"]
    assert own("sh", "/work/agent.py", "../agent.py", "none.py") == ["agent.py"]
    assert own("interpreter", "task.md", "data.csv") == ["task.md"], "the first is what runs"
