"""The content management systems of the province, each with its own addresses and markup."""

from __future__ import annotations

from tests.province.platforms.base import Platform
from tests.province.platforms.hanweb import Hanweb
from tests.province.platforms.soup import Soup
from tests.province.platforms.tables import Tables
from tests.province.platforms.trs import Trs
from tests.province.platforms.vsb import Vsb

PLATFORMS: dict[str, Platform] = {p.family: p for p in (Hanweb(), Trs(), Vsb(), Tables(), Soup())}
__all__ = ["PLATFORMS", "Platform"]
