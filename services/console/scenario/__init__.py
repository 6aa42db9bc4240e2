"""`chargebench scenario`: what can be provoked, provoked, stopped, compared, exported, from a terminal."""
