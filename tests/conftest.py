"""What all tests have in common: no test fails for being slow."""

from hypothesis import HealthCheck, settings

settings.register_profile("davy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("davy")
