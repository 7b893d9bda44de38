"""Bad input and what it gets: rows that are tested, and that docs/robustness.md is written from."""
