"""Reports over many runs: rows of models compared, as a page, as tables, and as figures."""
