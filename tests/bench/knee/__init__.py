"""`make bench-knee`: how many charge points one machine holds, and what holds it up."""
