"""``python -m excitability.cli``."""

from . import main

main()
