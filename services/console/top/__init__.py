"""`chargebench top`: the console's live picture in a terminal, for people on a server."""
