"""What every report is made of: pages, tables, plots, media."""
