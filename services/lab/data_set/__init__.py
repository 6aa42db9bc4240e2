"""A data set on disk: readings, events and, apart, the truth, as Parquet, and a card that says what it is."""
