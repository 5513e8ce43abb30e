"""What other systems tell over HTTP: who it is that tells it, and what it means in our words.

Everything here is a function of a delivery (headers, raw body, when it came), of what a file says about its
source, and of secrets.
"""
