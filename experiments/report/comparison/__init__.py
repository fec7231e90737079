"""The report of a comparison: models side by side, with significance."""
