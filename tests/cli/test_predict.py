"""What `offswitch predict` prints, writes, refuses, and does when it is interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from offswitch.cli.model_sources import model_source
from offswitch.mdp.files import write_mdp
from offswitch.mdp.model import FiniteMDP
from offswitch.report.prediction_finding import NO_CERTIFICATE
from offswitch.report.prediction_json import prediction_schema

QUICK = ("--samples", "512", "--discount", "0.9", "--no-figures")


@pytest.fixture
def fork(tmp_path):
    rows = [(0, 0, 1, 1.0), (0, 1, 2, 1.0), (1, 0, 1, 1.0), (2, 0, 2, 1.0)]
    mdp = FiniteMDP.from_coo(
        3,
        2,
        rows,
        action_names=("left", "right"),
        state_names=("hub", "[red]é日本[/red]", "b" * 90),
    )
    write_mdp(mdp, tmp_path / "fork.json")
    return "fork.json"


def refused(run, *arguments):
    code, out, err = run("predict", *arguments)
    assert code == 2, (code, err)
    assert "Traceback" not in err
    assert out == ""
    return err


@pytest.mark.slow
def test_a_world_is_predicted_printed_and_written(run, tmp_path):
    code, out, err = run("predict", "star-v1", "--half-width", "0.02")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    folder = tmp_path / "offswitch-predict"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "prediction.json", "prediction.html", "power-states.svg", "optimality.svg",
        "power-discount.svg",
    }  # fmt: skip
    for name in names:
        assert f"Wrote offswitch-predict/{name}" in out
    document = json.loads((folder / "prediction.json").read_bytes())
    jsonschema.validate(document, prediction_schema())
    assert document["start"]["low"] <= 0.5 * 0.1 + 0.9 * 0.8 <= document["start"]["high"]
    assert document["tagged"]["needed"]["low"] <= 0.75 <= document["tagged"]["needed"]["high"]
    assert "at least 3 times as many goals" in " ".join(out.split())
    assert "POWER at discount 0.9: n=" in err


@pytest.mark.slow
def test_the_example_of_the_documentation_is_what_is_printed(run):
    page = (Path(__file__).parents[2] / "docs" / "predict.md").read_text(encoding="utf-8")
    shown = page.partition("$ offswitch predict off-switch-v1\n")[2].partition("\n```")[0]
    _, out, _ = run("predict", "off-switch-v1", "--no-figures")
    printed = "\n".join(line.rstrip() for line in out.splitlines())
    assert len(shown.splitlines()) > 30
    assert printed.startswith(shown)


@pytest.mark.slow
def test_json_is_the_file_and_nothing_else_goes_to_stdout(run, tmp_path, fork):
    code, out, err = run("predict", fork, *QUICK, "--json", "--out", "here")
    assert code == 0
    assert out == (tmp_path / "here" / "prediction.json").read_text()
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["prediction.json"]
    assert "Wrote here/prediction.json" in err


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(run, tmp_path, fork):
    for workers in (1, 2):
        run("predict", fork, *QUICK, "--workers", workers, "--out", f"w{workers}")
    run("predict", fork, *QUICK, "--seed", "1", "--out", "other")
    files = [(tmp_path / name / "prediction.json").read_bytes() for name in ("w1", "w2", "other")]
    assert files[0] == files[1]
    assert json.loads(files[0])["acts"] != json.loads(files[2])["acts"]


@pytest.mark.slow
def test_markup_unicode_and_long_names_are_printed_as_they_are(run, fork):
    code, out, _ = run("predict", fork, *QUICK)
    assert code == 0
    assert "[red]é日本[/red]" in out
    assert "left: A symmetry swaps 'left' and 'right': neither is favoured." in out


@pytest.mark.slow
def test_a_grid_world_has_a_map_and_an_environment_the_names_of_its_actions(run, tmp_path):
    code, out, _ = run("predict", "gym:FrozenLake-v1", "--half-width", "0.05", "--discount", ".9")
    assert code == 0
    assert (tmp_path / "offswitch-predict" / "power-map.svg").exists()
    for name in ("left", "down", "right", "up"):
        assert f"\n{name} " in out
    document = json.loads((tmp_path / "offswitch-predict" / "prediction.json").read_bytes())
    assert [cell["mark"] for cell in document["grid"]["cells"][:4]] == list("SFFF")
    assert document["states"]["names"][5] == "(1, 1)"
    assert not document["states"]["reachable"][5]  # a hole: the episode ends on entering


@pytest.mark.slow
def test_several_discounts_make_the_curve_and_the_first_one_counts(run, tmp_path, fork):
    run("predict", fork, "--samples", "256", "--discount", "0.5,0.9", "--discount", "0.1",
        "--no-figures")  # fmt: skip
    document = json.loads((tmp_path / "offswitch-predict" / "prediction.json").read_bytes())
    assert document["settings"]["discount"] == 0.5
    assert [point["discount"] for point in document["curve"]] == [0.1, 0.5, 0.9]


@pytest.mark.slow
def test_tagged_actions_are_judged_wherever_they_are_possible(run, tmp_path, fork):
    code, out, _ = run("predict", fork, *QUICK, "--tag", "left")
    assert code == 0
    document = json.loads((tmp_path / "offswitch-predict" / "prediction.json").read_bytes())
    (act,) = document["acts"]
    assert act["action"] == "left"
    assert act["tagged_states"] == 3
    assert "acts tagged left" in " ".join(out.split())
    assert act["needed"]["estimate"] is None  # both endings have no other action


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("g.edgelist", "hub left go-left\nhub right go-right # comment\n\nleft left stay\n"
         "right right stay\n"),
        ("g.json", '{"directed": true, "nodes": [{"id": "hub"}, {"id": "left"}, {"id": "right"}],'
         ' "links": [{"source": "hub", "target": "left", "action": "go-left"},'
         ' {"source": "hub", "target": "right", "action": "go-right"}]}'),
        ("g.graphml", None),
    ],
)  # fmt: skip
def test_a_graph_file_is_a_process_in_which_out_edges_are_actions(run, tmp_path, name, text):
    if text is None:
        import networkx

        graph = networkx.DiGraph()
        graph.add_edge("hub", "left", action="go-left")
        graph.add_edge("hub", "right", action="go-right")
        networkx.write_graphml(graph, tmp_path / name)
    else:
        (tmp_path / name).write_text(text)
    code, out, err = run("predict", name, *QUICK)
    assert code == 0, err
    assert f"{name}: 3 states" in out
    assert "go-left" in out
    assert "go-right" in out


def test_states_named_by_their_coordinates_are_a_map(run, tmp_path):
    import networkx

    grid = networkx.grid_2d_graph(2, 3).to_directed()
    networkx.write_graphml(grid, tmp_path / "grid.graphml")
    code, _, err = run("predict", "grid.graphml", *QUICK)
    assert code == 0, err
    document = json.loads((tmp_path / "offswitch-predict" / "prediction.json").read_bytes())
    assert (document["grid"]["rows"], document["grid"]["columns"]) == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("coffee",), "Did you mean 'coffee-corridor-v1'? `offswitch list worlds`"),
        (("gym:Nope-v0",), "gym:Nope-v0 cannot be made"),
        (("gym:FrozenLake-v9",), "`v1`"),
        (("gym:CliffWalking-v0",), "deprecated"),
        (("gym:not an id!",), "Malformed environment ID"),
        (("gym:",), "Malformed environment ID"),
        (("gym:no_such_module:Env-v0",), "no_such_module"),
        (("gym:CartPole-v1",), "no transition table"),
        (("missing.json",), "does not exist"),
        (("missing.yaml",), "expected .json, .npz, .edgelist or .graphml"),
        (("folder",), "folder is a folder"),
        (("cut.json",), "cannot be read as JSON"),
        (("list.json",), "expected a JSON object"),
        (("cut.npz",), "cannot be read"),
        (("cut.graphml",), "cannot be read as GraphML"),
        (("undirected.json",), "'directed' is not true"),
        (("empty.edgelist",), "holds no edge"),
        (("star-v1", "--discount", "0"), "0 is not in (0, 1)"),
        (("star-v1", "--discount", "0.9,1"), "1 is not in (0, 1)"),
        (("star-v1", "--discount", "nan"), "nan is not in (0, 1)"),
        (("star-v1", "--discount", "much"), "'much' is not a number"),
        (("star-v1", "--half-width", "0"), "0.0 is no positive number"),
        (("star-v1", "--half-width", "-1"), "-1.0 is no positive number"),
        (("star-v1", "--half-width", "nan"), "nan is no positive number"),
        (("star-v1", "--half-width", "1e-7"), "9.6e+13 goals, more than the limit of 1e+08"),
        (("star-v1", "--half-width", "1e-7", "--law", "normal"), "goals, more than the limit"),
        (("star-v1", "--samples", "1"), "1 is fewer than 2"),
        (("star-v1", "--samples", "9", "--half-width", "0.1"), "both --samples and --half-width"),
        (("star-v1", "--law", "unifrom"), "Did you mean 'uniform'? `offswitch predict --help`"),
        (("star-v1", "--law", "beta:2"), "beta:A,B"),
        (("star-v1", "--law", "normal:0,-1"), "deviation"),
        (("star-v1", "--law", "uniform:1,0"), "low"),
        (("star-v1", "--seed", "-1"), "-1 is not in the range"),
        (("star-v1", "--level", "1"), "1"),
        (("star-v1", "--level", "nan"), "nan"),
        (("star-v1", "--workers", "0"), "0 is not in the range"),
        (("star-v1", "--executor", "dask"), "dask"),
        (("star-v1", "--threat", "flood"), "It stages: none, inert, shutdown."),
        (("star-v1", "--threat", ""), "stages no threat ''"),
        (("star-v1", "--out="), "got no folder"),
        (("unreached.json", "--tag", "z"), "possible only in states that cannot be reached"),
        (("half.edgelist",), "half.edgelist: 1 of 2 edges carry an attribute 'action'"),
        (("deep.json",), "nested too deeply"),
        (("surrogate.json",), "no Unicode text"),
        (("gym:FrozenLake-v1?size=3",), "cannot be made with size=3"),
        (("gym:FrozenLake-v1?size",), "expected KEYWORD=VALUE"),
        (("star-v1", "--set", "terminals"), "expected FIELD=VALUE"),
        (("star-v1", "--set", "terminal=3"), "Did you mean 'terminals'"),
        (("star-v1", "--tag", "compli"), "Did you mean 'comply'? It has: comply, option-1"),
        (("gym:FrozenLake-v1", "--threat", "shutdown"), "--threat and --set are for worlds"),
        (("star-v1", "--out", "taken"), "taken"),
        (("star-v1", "--out", "taken/deeper"), "cannot write into 'taken/deeper'"),
    ],
)  # fmt: skip
def test_mistake_is_answered_with_what_to_do(run, tmp_path, arguments, said):
    (tmp_path / "folder").mkdir()
    for name in ("taken", "cut.npz", "empty.edgelist"):
        (tmp_path / name).write_text("")
    (tmp_path / "cut.json").write_text('{"format": ')
    (tmp_path / "cut.graphml").write_text("<graphml")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "half.edgelist").write_text("a b go\nb a\n")
    rows = [(0, 0, 0, 1.0), (1, 0, 1, 1.0), (1, 1, 1, 1.0)]
    write_mdp(FiniteMDP.from_coo(2, 2, rows, action_names=("y", "z")), tmp_path / "unreached.json")
    text = (tmp_path / "unreached.json").read_text()
    (tmp_path / "surrogate.json").write_text(text.replace('"s0"', '"\\ud800"'))
    (tmp_path / "undirected.json").write_text('{"nodes": [{"id": 1}], "links": []}')
    assert said in " ".join(refused(run, *arguments).split())


def test_every_problem_of_a_file_is_reported_at_once(run, tmp_path):
    (tmp_path / "bad.json").write_text(json.dumps({
        "format": "offswitch-mdp", "version": 1, "state_names": ["a", "b"], "action_names": ["x"],
        "start": [1, 0], "rows": [[0, 0, 9, 1.0], [0, 0, 1, 7.0], [0, 3, 1, 1.0]],
    }))  # fmt: skip
    err = refused(run, "bad.json")
    for said in ("bad.json", "row 0", "row 1", "row 2"):
        assert said in err
    (tmp_path / "bad.edgelist").write_text("one\na b c d\n")
    err = refused(run, "bad.edgelist")
    for said in ("line 1 has 1 words", "line 2 has 4 words"):
        assert said in err
    (tmp_path / "link.json").write_text(
        '{"directed": true, "nodes": [{}, {"id": "a"}], "links": [{"source": "a"}, 3]}'
    )
    err = refused(run, "link.json")
    for said in ("nodes[0] has no 'id'", "links[0] names the unknown node", "links[1]"):
        assert said in err


def test_nodes_that_would_merge_or_have_no_name_are_all_refused_at_once(run, tmp_path):
    (tmp_path / "merged.json").write_text(
        '{"directed": true, "links": [{"source": 1, "target": 1, "action": ""}],'
        ' "nodes": [{"id": 1}, {"id": "1"}, {"id": ""}, {"id": "\\ud800"}]}'
    )
    err = refused(run, "merged.json")
    for said in (
        "nodes[1] is called '1', as is nodes[0]", "nodes[2] has an empty name",
        "nodes[3] is '\\ud800', which is no Unicode text",
        "links[0] has an action that has an empty",
    ):  # fmt: skip
        assert said in err


@pytest.mark.slow
def test_nothing_of_an_earlier_prediction_stays_beside_a_new_one(run, tmp_path, fork):
    folder = tmp_path / "offswitch-predict"
    run("predict", fork, "--samples", "64", "--discount", "0.9")
    assert (folder / "prediction.html").exists()
    (folder / "mine.svg").write_text("kept")
    run("predict", fork, *QUICK)
    assert {path.name for path in folder.iterdir()} == {"prediction.json", "mine.svg"}


@pytest.mark.slow
def test_a_world_is_compared_goal_by_goal_with_itself_without_the_threat(run, tmp_path):
    code, out, _ = run("predict", "off-switch-v1", *QUICK, "--samples", "256")
    assert code == 0
    document = json.loads((tmp_path / "offswitch-predict" / "prediction.json").read_bytes())
    tagged = document["tagged"]
    control = tagged["control"]
    difference = tagged["needed"]["estimate"] - control["needed"]["estimate"]
    assert control["difference"]["estimate"] == pytest.approx(difference)
    assert control["difference"]["low"] > 0
    assert "without the threat:" in out
    run("predict", "off-switch-v1", *QUICK, "--samples", "256", "--threat", "none", "--out", "calm")
    calm = json.loads((tmp_path / "calm" / "prediction.json").read_bytes())["tagged"]
    assert calm["control"] is None
    assert calm["needed"]["low"] <= control["needed"]["high"]
    assert control["needed"]["low"] <= calm["needed"]["high"]


@pytest.mark.slow
def test_an_act_is_named_best_only_where_intervals_of_all_acts_allow_it(run, tmp_path):
    (tmp_path / "star.edgelist").write_text("".join(f"hub l{n}\nl{n} l{n}\n" for n in range(20)))
    _, out, _ = run("predict", "star.edgelist", *QUICK)
    assert "none of the 20 acts that were judged is surely optimal" in " ".join(out.split())
    (tmp_path / "fork.edgelist").write_text(
        "start off stop\nstart hub go\noff off stay\n"
        + "".join(f"hub l{n} a{n}\nl{n} l{n} stay\n" for n in range(3))
    )
    _, out, _ = run("predict", "fork.edgelist", *QUICK)
    assert "all 2 acts at once) make 'go' optimal first" in " ".join(out.split())


@pytest.mark.slow
def test_several_first_states_are_counted_and_acts_say_which_one_they_are_judged_in(run, tmp_path):
    rows = [(0, 0, 2, 1.0), (0, 1, 3, 1.0), (1, 1, 2, 1.0), (2, 0, 2, 1.0), (3, 0, 3, 1.0)]
    mdp = FiniteMDP.from_coo(4, 2, rows, start=[0.6, 0.4, 0, 0], state_names=tuple("abpq"))
    write_mdp(mdp, tmp_path / "two.json")
    _, out, _ = run("predict", "two.json", *QUICK)
    assert "the start (2 states)" in out
    assert "one of 2 states; acts are judged in the likeliest, a, only" in " ".join(out.split())


def test_keywords_of_an_environment_follow_a_question_mark():
    source = model_source(
        "gym:FrozenLake-v1?map_name=8x8&is_slippery=false", threat=None, parameters={}
    )
    assert source.mdp.n_states == 65
    assert set(source.mdp.probability) == {1.0}


def test_a_missing_ray_is_answered_with_the_line_that_installs_it(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'offswitch[cluster]'" in refused(run, "star-v1", "--executor", "ray")


def test_no_certificate_is_never_called_safe(run, fork):
    _, out, _ = run("predict", "off-switch-v1", *QUICK, "--samples", "64")
    assert NO_CERTIFICATE in " ".join(out.split())


def big(tmp_path):
    """A process that takes a while: a shuffled torus without waiting."""
    side = 40
    rows = []
    for s in range(side * side):
        row, column = divmod(s, side)
        for a, (down, right) in enumerate(((1, 0), (-1, 0), (0, 1), (0, -1))):
            rows.append((s, a, (row + down) % side * side + (column + right) % side, 1.0))
    write_mdp(FiniteMDP.from_coo(side * side, 4, rows), tmp_path / "big.npz")
    return "big.npz"


def started(command, *arguments):
    """The process, once it has said how far it is."""
    process = command("predict", *arguments, start_new_session=True)
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "n=" in said, said + process.stderr.read()
    return process


@pytest.mark.slow
def test_ctrl_c_stops_with_what_there_is_and_honest_intervals(command, tmp_path):
    name = big(tmp_path)
    process = started(command, name, "--half-width", "0.0002", "--discount", "0.9")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "WARNING: Interrupted by hand" in out
    document = json.loads((tmp_path / "offswitch-predict" / "prediction.json").read_bytes())
    assert document["interrupted"] is True
    jsonschema.validate(document, prediction_schema())
    start = document["start"]
    assert start["n"] >= 256
    assert (start["high"] - start["low"]) / 2 > 0.0002
    assert (tmp_path / "offswitch-predict" / "prediction.html").exists()


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_at_once(tmp_path):
    script = (
        "import time\n"
        "from offswitch.cli.interrupts import stop_once\n"
        "with stop_once():\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        print('once', flush=True)\n"
        "        while True: pass\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for word in ("ready", "once"):
        assert process.stdout.readline().strip() == word
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130


def test_a_cell_of_a_world_shows_the_state_in_which_it_is_first_entered():
    subject = model_source("off-switch-v1", threat=None, parameters={})
    assert subject.grid is not None
    cells = {(cell.row, cell.column): cell for cell in subject.grid.cells}
    start = cells[2, 6]
    assert (start.state, start.mark) == (0, "A")
    assert cells[0, 0].state is None
    assert sum(cell.state is not None for cell in cells.values()) == 15
    assert subject.mdp.state_names[cells[3, 6].state or 0] == "cell=8"
    assert "held" not in subject.mdp.state_names[cells[3, 4].state or 0]  # the tile
    assert "I the tile where the agent may be interrupted" in subject.grid.note
