"""The unified SQL: text to plans, never to SQL text. The dialect itself is in ``dialect.py``."""
