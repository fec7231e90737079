"""The report of a sweep: what varied, and what it did to the bound."""
