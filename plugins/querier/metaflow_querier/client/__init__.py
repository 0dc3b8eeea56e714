"""The command ``mflow query``: whom to ask, how to print, the prompt."""
