"""Ways of getting the programs into the kernel. Each gives the same programs and maps by the same names."""
