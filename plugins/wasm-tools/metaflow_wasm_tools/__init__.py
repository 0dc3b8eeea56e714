"""Tools for authors of WebAssembly parsers: build, test, inspect, templates."""
