"""A synthetic province: 540 government sites written from the standard, with planted faults and truth."""
