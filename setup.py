"""Lets `scrapyd-deploy` build the egg; everything it needs to know is in pyproject.toml."""

from setuptools import setup

setup()
