"""Spans of time as kubectl prints them."""


def age(seconds: float) -> str:
    """Write a span of time in at most two units, as `HumanDuration` of k8s.io/apimachinery does."""
    total = max(0, int(seconds))
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    """Leave out a smaller unit that is zero."""
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
