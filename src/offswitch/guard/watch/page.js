// Shows what the server knows once a second, and passes orders on after a second look.
// Words from agents are only ever set as text; nothing here makes HTML of them.
"use strict";

const LEVELS = ["observe", "ask", "throttle", "freeze", "kill"];
const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const $ = (id) => document.getElementById(id);
let selected = null;
let busy = false;
let lost = false;
let latest = null;
let opener = null;

function make(tag, text, className) {
  const one = document.createElement(tag);
  if (text !== undefined && text !== null) one.textContent = text;
  if (className) one.className = className;
  return one;
}

function seconds(value) {
  if (value === null || value === undefined) return "no data";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${value.toFixed(1)} s`;
  if (value < 7200) return `${Math.floor(value / 60)} min`;
  return `${(value / 3600).toFixed(1)} h`;
}

function bytes(value) {
  if (value === null || value === undefined) return "no data";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) { value /= 1024; at += 1; }
  return `${value.toFixed(at ? 1 : 0)} ${units[at]}`;
}

function counted(value, noun) {
  return value === null || value === undefined ? "no data" : `${value} ${noun}${value === 1 ? "" : "s"}`;
}

function number(value) {
  return value === null || value === undefined ? "no data" : String(value);
}

// Text is only touched where it differs: a screen reader is told of changes, not of every look.
function say(node, text, className) {
  if (node.textContent !== text) node.textContent = text;
  if (className !== undefined && node.className !== className) node.className = className;
}

function rowText(run) {
  if (run.silent) return "its supervisor does not answer";
  const parts = [run.phase];
  if (run.living && run.level && run.level !== "observe") parts.push(`level ${run.level}`);
  if (run.asks) parts.push(`${counted(run.asks, "act")} waiting for an answer`);
  if (run.evidence) parts.push(counted(run.evidence, "alarm"));
  if (!run.living && run.verified === false) parts.push("NOT PROVEN DEAD");
  return parts.join(", ");
}

function showRuns(data) {
  const list = $("runs");
  const names = data.runs.map((run) => run.id).join("\n");
  if (list.dataset.names !== names) {
    const focused = document.activeElement?.dataset?.run;
    list.replaceChildren(...data.runs.map((run) => {
      const button = make("button");
      button.type = "button";
      button.dataset.run = run.id;
      button.append(make("span", run.name), make("small"));
      button.addEventListener("click", () => choose(run.id));
      const item = make("li");
      item.append(button);
      return item;
    }));
    list.dataset.names = names;
    if (focused !== undefined) list.querySelector(`[data-run="${CSS.escape(focused)}"]`)?.focus();
  }
  data.runs.forEach((run, at) => {
    const button = list.children[at].firstChild;
    button.setAttribute("aria-current", String(run.id === selected));
    const bad = run.silent || (!run.living && run.verified === false);
    say(button.lastChild, rowText(run), bad ? "bad" : run.asks || run.evidence ? "doubt" : "");
  });
  $("left-out").hidden = !data.left_out;
  say($("left-out"), `${data.left_out} older not shown: offswitch guard status`);
  showCanary(data.canary);
}

function showCanary(canary) {
  $("canary").hidden = canary === null;
  if (canary === null) return;
  const text = canary.verified
    ? `Kill switch: proven on a canary in ${seconds(canary.seconds)}, ` +
      (canary.age_s === null ? "before the last start of this machine" : `${seconds(canary.age_s)} ago`)
    : `Kill switch: NOT PROVEN. ${canary.problem}`;
  say($("canary"), text, canary.verified ? "" : "bad");
}

function stateText(run) {
  if (run.guards && !run.guards.answers) return ["Its supervisor does not answer.", "bad"];
  if (run.result) {
    const proof = run.result.verified === true ? "the tree was verified empty"
      : run.result.verified === false ? "its death is NOT PROVEN" : "nothing is said of a proof";
    const why = run.result.detail ? `${run.result.reason} (${run.result.detail})` : run.result.reason;
    return [`${run.phase}: ${why}; ${proof}`, run.result.verified === true ? "good" : "bad"];
  }
  const by = run.by ? `, held there by ${run.by}` : "";
  const calm = run.level === "observe" && run.phase === "running";
  return [`${run.phase}${run.level ? ` at level ${run.level}` : ""}${by}`, calm ? "good" : "doubt"];
}

function showLadder(run) {
  const list = $("ladder");
  if (!list.children.length) list.append(...LEVELS.map((name) => make("li", name)));
  const at = LEVELS.indexOf(run.level);
  [...list.children].forEach((item, place) => {
    if (place === at) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
    item.className = place >= 3 ? "latched" : place >= 1 ? "raised" : "";
  });
}

function uses(now) {
  return [
    ["Processes", number(now.processes)],
    ["Memory", bytes(now.memory)],
    ["Processor time", seconds(now.cpu_s)],
  ];
}

function facts(run) {
  const ledger = run.ledger;
  const chain = ledger.problem ? `DOES NOT HOLD: ${ledger.problem}` : "chain holds so far";
  const found = [
    [run.guards ? "Age" : "Length", seconds(run.seconds)],
    ...(run.guards ? uses(run.uses) : []),
    ["Ledger", `${counted(ledger.records, "record")}, ${chain}`, ledger.problem ? "bad" : ""],
    ["Ledger's head", ledger.digest ? `${ledger.digest.slice(0, 16)}…, written ${seconds(ledger.age_s)} ago` : "no data"],
    ["Head noted outside it", counted(ledger.anchored, "record")],
    ["Acts judged", Object.entries(run.acts).map(([word, count]) => `${count} ${word}`).join(", ") || "none"],
  ];
  if (run.guards) {
    const guards = run.guards;
    found.push(
      ["Supervisor, says the watchdog",
        guards.supervisor ? `${guards.supervisor}, last heartbeat ${seconds(guards.supervisor_silence_s)} ago` : "no answer",
        guards.supervisor === "beating" ? "" : "bad"],
      ["Watchdog, says the supervisor",
        guards.answers ? `${guards.watchdog}, last heartbeat ${seconds(guards.watchdog_silence_s)} ago` : `no answer: ${guards.problem}`,
        guards.watchdog === "beating" ? "" : "bad"],
      ["Lease ends in", seconds(guards.lease_s)],
    );
  }
  if (run.result) {
    found.push(["Exit code", number(run.result.exit_code)], ["Killed and proven in", seconds(run.result.kill_seconds)]);
  }
  return found;
}

function showFacts(run) {
  const list = $("facts");
  const wanted = facts(run);
  if (list.dataset.names !== wanted.map((one) => one[0]).join("\n")) {
    list.replaceChildren(...wanted.map(([name]) => {
      const pair = make("div");
      pair.append(make("dt", name), make("dd"));
      return pair;
    }));
    list.dataset.names = wanted.map((one) => one[0]).join("\n");
  }
  wanted.forEach(([, text, className], at) => say(list.children[at].lastChild, text, className || ""));
}

function showTable(id, rows, key) {
  const body = $(id).tBodies[0];
  if (body.dataset.key === key) return;
  body.dataset.key = key;
  body.replaceChildren(...rows.map((cells) => {
    const row = make("tr");
    row.append(...cells.map((text) => make("td", text)));
    return row;
  }));
}

function showEvidence(run) {
  const list = run.evidence_list;
  $("evidence-none").hidden = list.length > 0;
  $("evidence-box").hidden = list.length === 0;
  const source = { ladder: "the ladder moved", alarm: "alarm", event: "act against oversight", act: "act held" };
  showTable("evidence", list.map((one) => [
    `#${one.number}`, seconds(one.seconds), `${one.name} (${source[one.source]})`, one.level || "–", one.text || "–",
  ]), `${run.id} ${list.length} ${list[0]?.number}`);
}

// Made anew only where another act waits: a button must not move from under a finger.
function showWaiting(run) {
  const list = $("waiting");
  $("waiting-box").hidden = run.waiting.length === 0;
  const key = `${run.id} ${run.waiting.map((one) => one.number).join(" ")}`;
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    list.replaceChildren(...run.waiting.map((one) => {
      const item = make("li");
      const buttons = make("div", null, "buttons");
      for (const [word, text] of [["approve", "Approve"], ["reject", "Reject"]]) {
        const button = make("button", text);
        button.type = "button";
        button.setAttribute("aria-label", `${text} number ${one.number}`);
        button.addEventListener("click", () => (word === "approve" ? ask(word, button, one) : order(run.id, word, one.number)));
        buttons.append(button);
      }
      item.append(make("p", one.asked, "mono"), make("p", `${one.why}${one.rule ? `, rule ${one.rule}` : ""}`),
        make("p", "", "faint left"), buttons);
      return item;
    }));
  }
  run.waiting.forEach((one, at) =>
    say(list.children[at].querySelector(".left"), `Number ${one.number}. Rejected by itself in ${seconds(one.left_s)}.`));
  for (const button of list.querySelectorAll("button")) button.disabled = busy || lost;
}

function items(title, list) {
  if (!list.length) return [];
  const part = make("div");
  const all = make("ul");
  all.append(...list.map((text) => make("li", text)));
  part.append(make("h4", title), all);
  return [part];
}

function showHolds(run) {
  const box = $("holds");
  const key = `${run.id} ${run.holds !== null}`;
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const holds = run.holds;
  if (holds === null) {
    box.replaceChildren(make("p", "No containment statement is written yet.", "faint"));
    return;
  }
  const parts = make("div", null, "parts");
  parts.append(
    ...items("By", holds.mechanisms),
    ...items("Covered", holds.covered),
    ...items("NOT covered", holds.not_covered),
    ...items("Open", holds.open),
    ...items("Waived by the policy", holds.waived),
    ...items("Attested, not checked", holds.attested ? [holds.attested] : []),
  );
  box.replaceChildren(
    make("p", `Tier ${holds.tier}: ${holds.tier_name}. ${holds.blocked} of ${holds.probes} ways out were tried and blocked.`),
    make("p", `Policy ${holds.policy}, ${holds.policy_sha256.slice(0, 16)}…`, "faint"),
    make("p", holds.command, "mono"),
    parts,
  );
}

function showRun(run) {
  $("detail").hidden = run === null;
  $("none").hidden = run !== null;
  if (run === null) return;
  say($("name"), run.name);
  say($("state"), ...stateText(run));
  showLadder(run);
  showFacts(run);
  showWaiting(run);
  showEvidence(run);
  showHolds(run);
  showTable("lines", run.lines.map((one) => [`#${one.number}`, seconds(one.seconds), one.kind, one.actor, one.text]),
    `${run.id} ${run.lines.length} ${run.lines[0]?.number}`);
  showButtons();
}

function showButtons() {
  const can = latest?.run && !lost && !busy ? latest.run.can : [];
  $("pause").disabled = !can.includes("pause");
  $("resume").disabled = !can.includes("resume");
  $("stop").disabled = !can.includes("stop") && !can.includes("stop now");
}

function show(data) {
  latest = data;
  if (selected === null || !data.runs.some((run) => run.id === selected)) {
    const first = data.runs.find((run) => run.living) ?? data.runs[0];
    if (first !== undefined && first.id !== selected) { selected = first.id; look(); }
  }
  $("trouble").hidden = !data.problem;
  say($("trouble"), data.problem);
  showRuns(data);
  showRun(data.run);
  const living = data.runs.filter((run) => run.living).length;
  say($("live"), `Live. ${living} alive, ${data.runs.length - living + data.left_out} over.`);
  document.title = data.run ? `${data.run.phase}: ${data.run.name}` : "Guarded runs";
}

function setLost(why) {
  lost = why !== "";
  $("lost").hidden = !lost;
  if (lost) {
    say($("live"), "Not live.");
    say($("lost"), `${why} What is shown is old. Runs go on under their guard; in a shell: offswitch guard status, offswitch guard stop ${selected ?? "RUN"}`);
  }
  showButtons();
}

let asked = 0;
async function look() {
  const mine = ++asked;
  const query = selected === null ? "" : `?run=${encodeURIComponent(selected)}`;
  try {
    const answer = await fetch(`state${query}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 403 || answer.status === 404) {
      setLost("This page was started anew and has another address.");
      return;
    }
    if (!answer.ok) throw new Error(answer.status);
    const data = await answer.json();
    if (mine !== asked) return;
    setLost("");
    show(data);
  } catch {
    if (mine === asked) setLost("The server of this page does not answer.");
  }
}

function choose(run) {
  selected = run;
  $("answer").hidden = true;
  if (latest) showRuns(latest);
  look();
}

const WORDS = {
  pause: ["Pause this run?", "Every process of it stands still until it is resumed or stopped.", "Pause"],
  resume: ["Resume this run?", "It goes on from where it stood, nothing is held or slowed. The level goes back to observe, whatever alarm raised it.", "Resume"],
  approve: ["Let this act go on?", "", "Approve"],
  stop: ["Stop this run?", "The agent is told, may save its work, and is killed. This cannot be undone.", "STOP"],
};

function ask(word, button, act) {
  const [title, plain, go] = WORDS[word];
  const text = act ? `${act.asked} (${act.why})` : plain;
  const can = latest.run.can;
  opener = button;
  say($("confirm-title"), title);
  say($("confirm-text"), `${latest.run.name}: ${text}`);
  $("confirm-now").hidden = word !== "stop";
  $("now").checked = word === "stop" && !can.includes("stop");
  $("now").disabled = word === "stop" && !can.includes("stop");
  say($("go"), go, word === "stop" ? "stop" : "");
  $("go").dataset.word = word;
  $("go").dataset.run = latest.run.id;
  $("go").dataset.number = act ? act.number : "";
  $("confirm").showModal();
  $("cancel").focus();
}

async function order(run, word, number) {
  busy = true;
  showButtons();
  const box = $("answer");
  box.hidden = false;
  say(box, word.startsWith("stop") ? "Stopping, and waiting for the proof…" : "Asked…", "answer");
  let told;
  try {
    const answer = await fetch("order", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(number === undefined ? { run, word } : { run, word, number }),
    });
    told = await answer.json();
  } catch {
    told = { done: false, text: `No answer came to this page. In a shell: offswitch guard stop ${run}` };
  }
  busy = false;
  say(box, told.text, told.done ? "answer" : "answer failed");
  await look();
  showButtons();
}

for (const word of ["pause", "resume", "stop"]) $(word).addEventListener("click", () => ask(word, $(word)));
$("cancel").addEventListener("click", () => $("confirm").close());
$("confirm").addEventListener("close", () => (opener?.disabled || !opener?.isConnected ? $("run") : opener)?.focus());
$("go").addEventListener("click", () => {
  const { run, word, number } = $("go").dataset;
  $("confirm").close();
  order(run, word === "stop" && $("now").checked ? "stop now" : word, number === "" ? undefined : Number(number));
});

// One look after the other: answers that come slowly must not overtake one another for ever.
async function watch() {
  for (;;) {
    await look();
    await new Promise((wake) => setTimeout(wake, EVERY_MS));
  }
}
watch();
