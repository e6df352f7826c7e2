"""Loaded before any test: a doctest module of ``measures/`` must not be imported before its package."""

import excitability.measures  # noqa: F401
