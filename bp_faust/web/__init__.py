"""Hold the page's files."""
