"""Causal influence diagrams with one decision: what its graph lets an agent want.

| file | what it gives |
|---|---|
| `diagram` | `InfluenceDiagram`, typed and validated once |
| `d_separation` | which nodes can depend on each other given others |
| `requisite` | observations worth having, and the minimal reduction |
| `value_of_information` | nodes worth observing |
| `value_of_control` | nodes worth setting |
| `response_incentive` | nodes an optimal decision must respond to |
| `instrumental_control_incentive` | nodes an optimal decision uses to raise utility |
| `structural_model` | functions on the nodes: what happens under a policy, case by case |
| `intention` | nodes for the sake of which one policy was chosen rather than another |
"""
