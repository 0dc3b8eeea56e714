"""Where series come from: names and matchers to plans, rows to samples."""
