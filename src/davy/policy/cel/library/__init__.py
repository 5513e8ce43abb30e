"""The functions of CEL and of the API server, a library a file."""
