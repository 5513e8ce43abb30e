"""canary-bench: judge any judge of canaries, on the same requests: `./dev bench canary`."""
