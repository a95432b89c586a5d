"""Figures as people read them."""
import json
from typing import Any


def size(count: float) -> str:
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << power:
            return f"{count / (1 << power):.4g} {unit}"
    return f"{count:.0f} B"


def seconds(value: float) -> str:
    for unit, factor in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def value(key: str, of: Any) -> str:
    """A value of a report that may be anything."""
    if of is None:
        return "unknown"
    if isinstance(of, list):
        return "; ".join(value(key, one) for one in of) or "none"
    if isinstance(of, (int, float)) and not isinstance(of, bool):
        if key.endswith("_bytes") and of >= 0:
            return size(of)
        return seconds(of) if key.endswith("_seconds") and of > 0 else f"{of:.6g}"
    return (of or "–") if isinstance(of, str) else json.dumps(of, ensure_ascii=False)


def shortened(text: str, most: int = 38) -> str:
    return text if len(text) <= most else text[:most - 1] + "…"
