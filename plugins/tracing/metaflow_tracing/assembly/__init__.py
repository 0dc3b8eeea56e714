"""From rows to trees, in a time that grows with the rows and not with their square."""
