"""What the paper claims, derived: tasks, derivations with checked steps, claims and their false twins.

Imports neither `numerics` nor `validation`: data flows one way, theory -> numerics -> validation.
"""

__version__ = "0.1.0"
