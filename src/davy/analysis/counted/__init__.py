"""Counters of each version that somebody else has scraped, made into what a judge takes in.

`look.VersionCounters` is who is asked, `feed.Feed` makes looks into scrapes that only grow.
"""
