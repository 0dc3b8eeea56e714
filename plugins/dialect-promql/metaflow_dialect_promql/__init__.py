"""PromQL over every metric of the catalogue and over stored samples. The dialect itself is in ``dialect.py``."""
