"""Writes docs/robustness.md: python -m tests.robustness.

Every row is tried before: a page that says something else than the code is not written.
"""

from tests.robustness import document


def main() -> None:
  """Tries all rows and writes the page."""
  for rows in document.SECTIONS.values():
    for row in rows:
      row.check()
  document.PAGE.write_text(document.page())


if __name__ == '__main__':
  main()
