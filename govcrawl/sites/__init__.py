"""The roster: which government websites are inspected, one row a site."""

from govcrawl.items import Site
from govcrawl.sites.roster import COLUMNS, RosterError, import_roster, load_sites, write_sites

__all__ = ["COLUMNS", "RosterError", "Site", "import_roster", "load_sites", "write_sites"]
