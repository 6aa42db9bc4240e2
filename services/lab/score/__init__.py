"""Scores: how well anomalies are found, told with the intervals that the number of events allows."""
