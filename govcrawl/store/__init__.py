"""MongoDB: collections, work ledger, evidence and results. The only package that imports pymongo."""
