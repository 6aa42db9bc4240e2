"""Replay: recorded life, from the memory, a data set or a CAN log, through any configuration of detectors."""
