"""``mflow doctor``: what this machine has and lacks for MetaFlow, each with what to do."""
