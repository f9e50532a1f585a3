"""Spiders: what to fetch of a site."""
