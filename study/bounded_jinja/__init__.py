"""Jinja that cannot run for ever: a sandbox whose templates have a budget of steps and characters.

It depends on the template and on what it is rendered with, not on the machine.
"""
