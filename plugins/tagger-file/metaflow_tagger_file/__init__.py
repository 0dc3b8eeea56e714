"""Tags rows from a file that lists what owns which addresses. The tagger itself is in ``tagger.py``."""
