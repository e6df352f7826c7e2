"""Tables that commands write: none is replaced by one that other options made, unless that is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def check_place(path: Path, asked: Mapping[str, Any], overwrite: bool) -> Path:
    """Path of a table, refused where a table stands that was asked for in other words (``Plan`` of its JSON)."""
    beside = path.with_suffix(".json")
    if overwrite or not (path.is_file() and beside.is_file()):
        return path
    try:
        earlier = json.loads(beside.read_text(encoding="utf-8")).get("Plan")
    except (ValueError, AttributeError):
        earlier = None
    wanted = json.loads(json.dumps(dict(asked), default=str))
    if not isinstance(earlier, dict) or earlier == wanted:
        return path
    names = [name for name in dict.fromkeys([*earlier, *wanted]) if earlier.get(name) != wanted.get(name)]
    told = ", ".join(f"{name} was {_shown(earlier.get(name))}, is {_shown(wanted.get(name))}" for name in names)
    raise ValueError(
        f"{path} answers another question ({told}); -o FILE{path.suffix} keeps both, --overwrite replaces it"
    )


def _shown(value: Any) -> str:
    if value in (None, [], ""):
        return "none"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
