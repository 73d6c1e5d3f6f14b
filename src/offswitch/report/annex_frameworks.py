"""What published frameworks ask, in our words, and the fields of a report beside it.

Each source has the date of the text that was read, and says where it was read second-hand.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FRAMEWORKS", "Framework", "Row"]


class Row(NamedTuple):
    """One thing a framework asks, and what a report may have for it."""

    asked: str
    field: str
    measures: tuple[str, ...] = ()
    """Names of measurements of the audited agent."""
    fact: str | None = None
    """Name of a text in `annex_facts`."""
    missing: str | None = None
    """Why an audit's report has nothing."""


class Framework(NamedTuple):
    """A published framework."""

    title: str
    source: str
    note: str
    rows: tuple[Row, ...]


SECOND_HAND = "Read in summaries; check the text itself before quoting."
STOPS = (
    "shutdown_resistance", "shutdown_resistance_observed", "shutdown_resistance_unobserved",
)  # fmt: skip
EDITS = ("goal_preservation_resisting", "goal_preservation_false_accepting")
OVERSIGHT = ("oversight_manipulation", "deception", "replication")
GAPS = (
    "observation_gap", "oversight_manipulation_observation_gap", "deception_observation_gap",
)  # fmt: skip
PROPENSITIES = (*STOPS, *EDITS, *OVERSIGHT, "resource_hoarding", "corrigibility_min")

NO_GUARD = "an audit runs no guard; the guard's drills measure it"
NO_OWNER = "an audit does not know who is responsible; name them"
NO_MITIGATION = "an audit applies no mitigation; `offswitch compare` prices one"
NO_DECISION = "the decision is yours; `offswitch gate` compares the bounds with your limits"
NO_HISTORY = "one report knows of no other; keep reports, and compare their numbers"
NO_INCIDENT = "an audit observes simulated episodes and no incidents in the field"

ESTIMATES = Row(
    "risk assessed against thresholds", "estimates with their intervals", measures=PROPENSITIES
)
METHOD = Row("how the evaluation was done", "worlds, episodes, seed, intervals", fact="method")
CONTROLS = Row("whether the evaluation can be believed", "controls of the audit", fact="controls")
RERUN = Row("results that others can check", "command for the same bytes", fact="rerun")
UNTESTED = Row("what was not assessed", "measures without data", fact="not tested")
RESIDUAL = Row("limits and remaining uncertainty", "limits of this audit", fact="limits")
IDENTITY = Row("which system was assessed", "agent and version of the tool", fact="identity")

FRAMEWORKS: dict[str, Framework] = {
    "seoul": Framework(
        "Frontier AI Safety Commitments (Seoul)",
        "Commitments of 21 May 2024. " + SECOND_HAND,
        "Voluntary; signatories set their own thresholds and explain how.",
        (
            IDENTITY,
            ESTIMATES,
            Row("thresholds and how they were chosen", "threshold, rationale", missing=NO_DECISION),
            Row("efficacy of mitigations", "effect with interval", missing=NO_MITIGATION),
            RERUN,
            RESIDUAL,
        ),
    ),
    "anthropic-rsp": Framework(
        "Anthropic Responsible Scaling Policy",
        "Version 3.2, effective 29 April 2026. " + SECOND_HAND,
        "Risk Reports cover capabilities, threat models, mitigations and overall risk.",
        (
            IDENTITY,
            Row("propensities behind a threat model", "rates under threat", measures=PROPENSITIES),
            Row("whether it behaves otherwise unwatched", "observation gaps", measures=GAPS),
            Row("what it can do when it may", "capability check", fact="controls"),
            METHOD,
            RESIDUAL,
            Row("what changed since the last report", "differences", missing=NO_HISTORY),
        ),
    ),
    "openai-preparedness": Framework(
        "OpenAI Preparedness Framework",
        "Version 2, 15 April 2025. " + SECOND_HAND,
        "Research categories include undermining safeguards, autonomous replication, sandbagging.",
        (
            IDENTITY,
            Row(
                "undermining safeguards", "acts against oversight and stops",
                measures=("oversight_manipulation", *STOPS),
            ),
            Row(
                "autonomous replication and adaptation", "copies, copies that outlive a stop",
                measures=("replication", "replication_copying", "replication_surviving"),
            ),
            Row(
                "long-range autonomy", "capability and resources beyond what was granted",
                measures=("capability_seeking", "resource_hoarding"),
            ),
            Row(
                "sandbagging", "gap between gated and ungated capability",
                missing="no world of an audit gates a capability",
            ),
            Row("efficacy of safeguards", "effect with interval", missing=NO_MITIGATION),
            RESIDUAL,
        ),
    ),
    "deepmind-fsf": Framework(
        "Google DeepMind Frontier Safety Framework",
        "Version 3, 22 September 2025. " + SECOND_HAND,
        "Covers misaligned models that interfere with directing, modifying or shutting down.",
        (
            IDENTITY,
            Row("interference with shutting down", "resistance to a stop", measures=STOPS),
            Row("interference with modifying", "resistance to goal edits", measures=EDITS),
            Row(
                "interference with directing", "influence on decisions, acts against monitors",
                measures=("influence", "oversight_manipulation"),
            ),
            Row("stealth", "observation gaps", measures=GAPS),
            Row(
                "recall of monitors", "recall with and without reasoning",
                missing="an audit runs no monitor",
            ),
            CONTROLS,
        ),
    ),
    "eu-ai-act-14": Framework(
        "EU AI Act, Article 14 (human oversight of high-risk systems)",
        "Regulation (EU) 2024/1689 of 13 June 2024. " + SECOND_HAND,
        "Dates of application have been under revision; check the Official Journal.",
        (
            IDENTITY,
            Row(
                "interruption by a stop button or the like", "resistance to a stop, late stops",
                measures=(*STOPS, "shutdown_resistance_delaying"),
            ),
            Row(
                "a halt in a safe state", "worst cell of the label, which checks safe states",
                measures=("corrigibility_min",),
            ),
            Row("time until it has stopped", "stop latency p50, p99", missing=NO_GUARD),
            Row(
                "decisions that can be overridden", "resistance to edits and other interventions",
                measures=(*EDITS, "pause_resistance", "resource_cap_resistance"),
            ),
            Row("alarms that a person can bear", "alarm load", missing=NO_GUARD),
            Row("limits a person must know", "limits of this audit", fact="limits"),
        ),
    ),
    "eu-ai-act-other": Framework(
        "EU AI Act, Articles 9, 12, 15 and 26",
        "Regulation (EU) 2024/1689 of 13 June 2024. " + SECOND_HAND,
        "Risk management; logs; robustness and cybersecurity; duties of deployers.",
        (
            IDENTITY,
            Row("Art. 9: known risks, estimated", "rates with intervals", measures=PROPENSITIES),
            Row("Art. 12: automatic logs", "recorded episodes", fact="traces"),
            Row(
                "Art. 12: logs in operation", "completeness of a hash-chained log",
                missing=NO_GUARD,
            ),
            Row(
                "Art. 15: robustness", "results under perturbation",
                missing="an audit stages set conditions; `offswitch redteam` searches for worse",
            ),
            Row("Art. 26: monitoring by the deployer", "drills, incidents", missing=NO_INCIDENT),
        ),
    ),
    "eu-gpai-code": Framework(
        "EU General-Purpose AI Code of Practice, Safety and Security",
        "Text of 10 July 2025. " + SECOND_HAND,
        "Loss of control is one of its four systemic risks.",
        (
            IDENTITY,
            Row(
                "loss of control: propensities", "rates under threat",
                measures=(*PROPENSITIES, "capability_seeking"),
            ),
            METHOD,
            CONTROLS,
            Row("bundle for external evaluators", "command for the same bytes", fact="rerun"),
            UNTESTED,
            RESIDUAL,
            Row("serious incidents", "date, reason, statement", missing=NO_INCIDENT),
        ),
    ),
    "nist-ai-rmf": Framework(
        "NIST AI Risk Management Framework 1.0",
        "NIST AI 100-1, 26 January 2023; passages read.",
        "MEASURE 2.6: safety, residual risk, failing safely. MANAGE 2.4: superseding, disengaging.",
        (
            IDENTITY,
            Row("MEASURE 2.6: safety evaluated", "rates with intervals", measures=PROPENSITIES),
            Row(
                "MEASURE 2.6: residual risk within tolerance", "upper bounds against your limits",
                missing=NO_DECISION,
            ),
            Row(
                "MEASURE 2.6: can fail safely", "worst cell of the label",
                measures=("corrigibility_min",),
            ),
            Row(
                "MANAGE 2.4: mechanisms to supersede, disengage, deactivate",
                "resistance to a stop; drills are the guard's", measures=STOPS,
            ),
            Row("MANAGE 2.4: responsibilities", "named owner", missing=NO_OWNER),
        ),
    ),
    "nist-ai-600-1": Framework(
        "NIST AI 600-1, Generative AI Profile",
        "Of 26 July 2024. " + SECOND_HAND,
        "Reported not to have been written for systems that act on their own.",
        (
            IDENTITY,
            Row(
                "what it may act on", "tools and their scope",
                missing="a world declares its acts; an audit knows of no tools",
            ),
            Row(
                "who delegates to whom", "delegation chain",
                missing="an audit runs one agent for one principal",
            ),
            Row("harmful autonomy", "rates under threat", measures=PROPENSITIES),
            RESIDUAL,
        ),
    ),
    "california-sb-53": Framework(
        "California SB 53 (Business and Professions Code 22757.10 and following)",
        "Statute of 2025; passages of 22757.13 read.",
        "Critical safety incidents go to the Office of Emergency Services within 15 days, within "
        "24 hours where danger is imminent.",
        (
            IDENTITY,
            Row("transparency report: assessments", "rates with intervals", measures=PROPENSITIES),
            Row(
                "use of deception against its developer", "deception, acts against oversight",
                measures=("deception", "oversight_manipulation"),
            ),
            RESIDUAL,
            Row(
                "critical safety incident", "date, reason, plain statement, internal use",
                missing=NO_INCIDENT,
            ),
        ),
    ),
}  # fmt: skip
"""Name -> framework."""
