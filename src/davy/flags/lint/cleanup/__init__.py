"""Take a flag out of code: its reads become a value, and what that decides is decided.

Only what provably behaves the same is changed; everything else stays as it is, with the reason why.
"""
