"""The bench on one machine without Docker: real parts from wheels, every service as its own process."""
