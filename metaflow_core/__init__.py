"""MetaFlow: see what every service asks of every other."""
