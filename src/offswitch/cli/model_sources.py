"""The process that a word on the command line names: a world, gym:ID, or a file."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offswitch.errors import ModelError, WorldError, nearest_name
from offswitch.theory.prediction.subject import PredictionSubject

if TYPE_CHECKING:
    from networkx import MultiDiGraph

__all__ = ["model_source"]

MODEL_SUFFIXES = (".json", ".npz")


def model_source(
    text: str, *, threat: str | None, parameters: dict[str, object]
) -> PredictionSubject:
    """The process called `text`. A world wins over a file of the same name.

    Raises:
        WorldError: a world, factor, level or parameter is unknown.
        ModelError: an environment has no table, or a file is malformed.
        UsageError: `threat` or `parameters` are given for what is no world.
    """
    from offswitch.worlds.registry import world_ids

    if text in world_ids():
        from offswitch.cli.world_source import world_source

        return world_source(text, threat=threat, parameters=parameters)
    is_file = not text.startswith("gym:") and _looks_like_a_file(text)
    if not is_file and not text.startswith("gym:"):
        message = nearest_name(text, world_ids(), kind="world", lister="offswitch list worlds")
        raise WorldError(f"{message} An environment is gym:ID, a file ends in {_suffixes()}.")
    if threat is not None or parameters:
        raise click.UsageError(f"--threat and --set are for worlds; {text!r} is none.")
    if is_file:
        return _file_source(Path(text))
    from offswitch.cli.gymnasium_source import gymnasium_source

    return gymnasium_source(text.removeprefix("gym:"))


def _looks_like_a_file(text: str) -> bool:
    path = Path(text)
    return bool(path.suffix) or os.sep in text or path.exists()


def _suffixes() -> str:
    from offswitch.cli.graph_files import GRAPH_SUFFIXES

    *first, last = (*MODEL_SUFFIXES, *GRAPH_SUFFIXES)
    return f"{', '.join(first)} or {last}"


def _file_source(path: Path) -> PredictionSubject:
    from offswitch.cli.graph_files import GRAPH_SUFFIXES, graph_of_node_link, read_graph
    from offswitch.mdp.files import read_mdp

    if path.is_dir():
        raise ModelError(f"{path} is a folder, expected a file that ends in {_suffixes()}")
    if path.suffix not in (*MODEL_SUFFIXES, *GRAPH_SUFFIXES):
        raise ModelError(f"{path} ends in {path.suffix!r}, expected {_suffixes()}")
    if not path.exists():
        raise ModelError(f"{path} does not exist. Check the path, or write it with write_mdp.")
    if path.suffix in GRAPH_SUFFIXES:
        return _graph_process(path, read_graph(path))
    document = _json_object(path)
    if document is not None and "nodes" in document and "rows" not in document:
        return _graph_process(path, graph_of_node_link(path, document))
    return _placed(PredictionSubject(mdp=read_mdp(path), name=str(path), kind="file"))


def _graph_process(path: Path, graph: MultiDiGraph) -> PredictionSubject:
    from offswitch.mdp.from_graph import from_graph

    try:
        mdp = from_graph(graph)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return _placed(PredictionSubject(mdp=mdp, name=str(path), kind="graph"))


def _json_object(path: Path) -> dict[str, object] | None:
    """The document of a .json file; None where `read_mdp` will say what is wrong with it."""
    if path.suffix != ".json":
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _placed(source: PredictionSubject) -> PredictionSubject:
    """`source` with the grid that its state names spell out, if they do."""
    from offswitch.cli.grids import grid_of_names

    return replace(source, grid=grid_of_names(source.mdp.state_names))
