"""Mutation tests: cosmic-ray's mutants of a copy of this tree, and the tests that meet them."""
