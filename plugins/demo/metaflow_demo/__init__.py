"""``mflow demo``: a small shop of real servers under load, to be looked at."""
