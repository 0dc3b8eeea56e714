"""Records as Arrow columns in memory, bounded, with answers to plans. The storage itself is in ``storage.py``."""
