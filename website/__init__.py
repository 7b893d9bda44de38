"""The documentation site: pages of the API, links into the repository, a check in a browser."""
