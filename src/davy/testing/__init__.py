"""Contract suites for whoever implements one of Davy's seams."""
