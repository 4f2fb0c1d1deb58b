"""Interventions on the model during evaluation, one module each.

To add one: write a module with a subclass of `Intervention`, and add an instance of it to
`INTERVENTIONS`. Arms then accept its name.
"""

from __future__ import annotations

from study.errors import listed, nearest
from study.models.interventions.base import Intervention

__all__ = ["INTERVENTIONS", "Intervention", "intervention"]

INTERVENTIONS: tuple[Intervention, ...] = ()


def intervention(name: str) -> Intervention:
    """The registered intervention of that name; ValueError if there is none."""
    for registered in INTERVENTIONS:
        if registered.name == name:
            return registered
    names = [registered.name for registered in INTERVENTIONS]
    known = f"one of {listed(names)}" if names else "none is registered"
    raise ValueError(f"an intervention: {known}. {nearest(name, names)}".strip())
