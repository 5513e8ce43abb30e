"""What people write, parsed once, with positions."""
