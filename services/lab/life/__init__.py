"""Benign life at charge points: cars that come, charge and leave as real ones do. Pure and seeded."""
