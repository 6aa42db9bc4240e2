"""The rogue: a node on a connector's CAN bus that has no business there."""
