"""The command line `chargebench`: a table of commands and who performs them."""
