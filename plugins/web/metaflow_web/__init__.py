"""The web UI: pages built from ``src`` by ``build.sh``, served with a strict policy."""
