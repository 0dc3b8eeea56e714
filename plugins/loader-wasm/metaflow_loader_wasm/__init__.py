"""Parsers as WebAssembly modules (``mf_abi_v1``) on wasmtime, with limits on memory and time and no access to anything."""
