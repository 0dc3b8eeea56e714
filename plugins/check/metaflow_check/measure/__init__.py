"""What is found: one measure for each kind of check, fed with batches."""
