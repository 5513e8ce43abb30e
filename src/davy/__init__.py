"""Progressive delivery with teeth."""

__version__ = "0.1.0"
