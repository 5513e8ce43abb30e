"""The simulated world: the real engine in virtual time, with faults between any two calls, from one seed."""
