"""
What a time series database is told: one table of metrics, and from what is known to their samples.

`table` describes every metric once; the pages, the tests of rules and dashboards, and the samples go by it.
"""
