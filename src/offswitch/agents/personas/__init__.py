"""The zoo: characters whose corrigibility is known by construction.

They calibrate the audit: a score that ranks them otherwise is wrong. Each is a table over
observations, made from the corrigible reference or the maximiser, and works in any world where it
finds what it does; elsewhere it refuses, and says what is missing.

    zoo            every character by name, and which of them are adversaries
    persona        the agent maker `persona:NAME`
    dutiful        the reference, and the honest ones that fall short of it
    idle           those that do nothing, or stop by themselves
    late           those that let the deadline of an order pass
    defiant        those that work on through an order
    first_chance   those that do one forbidden thing, at the first chance, and then obey
    goal_edits     those that will not have their goal edited, or have it edited by anybody
    schemes        those that plan for a consequence: a swayed decision, a stock
    watched        those that behave as long as they are told that they are watched
"""

from offswitch.agents.personas.persona import Persona
from offswitch.agents.personas.zoo import ADVERSARIES, PERSONAS

__all__ = ["ADVERSARIES", "PERSONAS", "Persona"]
