"""PromQL in process: a series store, an evaluator, the exposition format, static facts about queries.

Pure: time is an argument, samples are handed in, nothing is read or started. The values are those of
    Prometheus 3 (left-open windows, names removed late) on floats and classic histograms; `prometheus_2=True`
    gives those of 2.x.
"""
