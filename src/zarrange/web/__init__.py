"""Web: the pages on which one watches predictions improve. Read-only. Needs the extra `zarrange[web]`."""
