"""Visits of home pages for V2: when they are due, how they are made and confirmed, what they come to."""
