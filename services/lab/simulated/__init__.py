"""Charge points simulated from the cores of the real parts: no socket, no process, a clock of its own."""
