"""The egress guard: no request of the crawl reaches an address inside the office's own networks.

A hostile page names inner addresses in links, redirects, frames and scripts, in odd spellings, or through a
name that resolves to one. The guard looks a name up once, drops every address that is not public, and the
connection goes to the addresses that are left, so that a second look-up cannot answer differently. Scrapy
takes it as its resolver, aiohttp as its connector; Chromium reaches the web only through `govcrawl.proxy`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from govcrawl.items import GovcrawlError, Site

if TYPE_CHECKING:
    from aiohttp import TCPConnector
    from scrapy.crawler import Crawler

LOOKUP = 10.0  # seconds for one look-up
KEPT = 300.0  # seconds a look-up is kept: the addresses that were checked stay the ones connected to
MOST_KEPT = 10_000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]

# Addresses that answer with the secrets of a cloud machine; some of them are public by the registry.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "169.254.0.23", "100.100.100.200", "168.63.129.16",
                 "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)  # fmt: skip
RANGES = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "private"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "private"),
        ("100::/64", "reserved"),
        ("2001:db8::/32", "reserved"),
        ("3fff::/20", "reserved"),
        ("5f00::/16", "reserved"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")

# Names for this machine and for metadata services, whoever resolves them.
INNER_NAMES = frozenset(
    {"localhost", "ip6-localhost", "ip6-loopback", "metadata", "metadata.google.internal"}
)


class Forbidden(OSError):  # noqa: N818  (an outcome that pages carry as `blocked`)
    """A request would have reached an address of the office's own networks; it was not made."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host
        self.reason = reason


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, by any of the ways in use."""
    if ip.ipv4_mapped:
        return ip.ipv4_mapped
    if ip.sixtofour:
        return ip.sixtofour
    if ip.teredo:
        return ip.teredo[1]
    low = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    isatap = (int(ip) >> 32) & 0xFDFFFFFF == 0x00005EFE
    inside = any(ip in network for network in (_NAT64, _COMPATIBLE, _TRANSLATED))
    return low if (inside and int(ip) > 1) or isatap else None


def forbidden(ip: str) -> str | None:
    """Return why an address must not be connected to; None when it is a public one."""
    try:
        address = ipaddress.ip_address(ip.strip("[]").partition("%")[0])
    except ValueError:
        return "not an address"
    return _reason(address)


def _reason(address: Address) -> str | None:
    if address in METADATA:
        return "metadata"
    if isinstance(address, ipaddress.IPv6Address) and (inner := _embedded(address)):
        found = _reason(inner)
        return f"{found} within IPv6" if found else None
    for network, reason in RANGES:
        if address.version == network.version and address in network:
            return reason
    if isinstance(address, ipaddress.IPv6Address):
        return None if address in _PUBLIC_V6 else "reserved"
    return None if address.is_global else "reserved"


def _plain(host: str) -> str:
    """A host as clients read it: unescaped, full-width characters folded, no closing dot."""
    text = unicodedata.normalize("NFKC", unquote(host)).replace("。", ".").lower()
    return text.strip().strip("[]").rstrip(".")


def host_literal(host: str) -> Address | None:
    """Return the address a host spells, in decimal, octal, hexadecimal or short form too; None for a name."""
    text = _plain(host)
    if ":" in text:
        try:
            return ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return None
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    numbers = [_number(part) for part in parts]
    *firsts, last = numbers
    if last is None or any(first is None or first > 255 for first in firsts):
        return None
    if last >= 256 ** (4 - len(firsts)):
        return None
    value = last
    for position, first in enumerate(firsts):
        assert first is not None
        value += first << (8 * (3 - position))
    return ipaddress.IPv4Address(value)


def stated(sites: Iterable[Site]) -> Iterator[str]:
    """Yield the addresses a roster names outright: a site at 10.1.2.3 is the office's own decision."""
    for site in sites:
        for host in (urlsplit(site.url).netloc, *site.allowed_hosts):
            if host_literal(host.rpartition(":")[0] or host):
                yield host


def _number(part: str) -> int | None:
    """Read one part of an IPv4 address as inet_aton and browsers do."""
    if len(part) > 40:
        return None
    if re.fullmatch(r"0x[0-9a-f]*", part):
        return int(part[2:] or "0", 16)
    if re.fullmatch(r"0[0-7]*", part):
        return int(part, 8)
    return int(part) if re.fullmatch(r"[1-9][0-9]*", part) else None


def _numeric(host: str) -> bool:
    """Tell whether a host ends in a number, so that some client may take it for an address."""
    last = _plain(host).rpartition(".")[2]
    return last.isdecimal() or bool(re.fullmatch(r"0x[0-9a-f]*", last))


async def _getaddrinfo(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard:
    """Decides which addresses may be connected to, and resolves names to those only.

    `allow` opens exceptions: an address, a network, a host name, or any of them with a port
    (`10.0.0.5`, `10.1.0.0/16`, `intranet.example`, `127.0.0.1:8080`). A name that is allowed may resolve
    anywhere.
    """

    def __init__(self, allow: Collection[str] = (), lookup: Lookup = _getaddrinfo) -> None:
        self._lookup = lookup
        self._hosts: set[tuple[str, int | None]] = set()
        self._networks: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, int | None]] = []
        self._kept: OrderedDict[str, tuple[float, asyncio.Task[Sequence[str]]]] = OrderedDict()
        self._passed: set[tuple[str, int]] = set()  # addresses of names that are allowed
        self.refused = 0
        for entry in allow:
            self._allow(entry)

    def _allow(self, entry: str) -> None:
        host, port = entry.strip().lower(), None
        if found := re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]+):(\d+)", host):
            host, port = found[1], int(found[2])
        try:
            self._networks.append((ipaddress.ip_network(host.strip("[]"), strict=False), port))
        except ValueError:
            if not re.fullmatch(r"[\w.-]+", host):
                raise GovcrawlError(
                    f"egress: {entry!r} is neither an address, a network nor a host"
                ) from None
            self._hosts.add((host.rstrip("."), port))

    def check(self, host: str, port: int) -> None:
        """Raise `Forbidden` for a host that spells a forbidden address or names this machine."""
        name = _plain(host)
        if self._named(name, port):
            return
        address = host_literal(host)
        if address:
            self._check_address(address, host, port)
        elif _numeric(host) or ":" in name:
            raise self._refusal(host, "not an address")
        elif name in INNER_NAMES or name.endswith(".localhost"):
            raise self._refusal(host, "loopback")

    def check_url(self, url: str) -> None:
        """Raise `Forbidden` for a URL that no request may be made to, as far as it shows unresolved."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise self._refusal(url[:100], "not an address") from None
        if parts.scheme not in {"http", "https", "ws", "wss"} or not host:
            raise self._refusal(host or url[:100], "not a web address")
        self.check(host, port or (443 if parts.scheme in {"https", "wss"} else 80))

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host that may be connected to; raise `Forbidden` when it has no others.

        A name that does not resolve raises `OSError`, as the system's resolver does.
        """
        self.check(host, port)
        literal = host_literal(host)
        if literal:
            return [str(literal)]
        name = _plain(host)
        found = await self._addresses(name, port)
        if self._named(name, port):
            self._passed.update((ip, port) for ip in found)
            return list(found)
        allowed = [
            ip
            for ip in found
            if self._allowed(ipaddress.ip_address(ip.partition("%")[0]), port) or not forbidden(ip)
        ]
        if allowed:
            return allowed
        raise self._refusal(host, forbidden(found[0]) or "reserved" if found else "no address")

    def check_ip(self, ip: str, port: int) -> None:
        """Raise `Forbidden` for an address about to be connected to."""
        address = host_literal(ip)
        if address is None:
            raise self._refusal(ip, "not an address")
        self._check_address(address, ip, port)

    def permits(self, host: str, port: int, ip: str = "") -> bool:
        """Tell whether a host may be asked, at the address it was resolved to where that is known."""
        try:
            self.check(host, port)
            if ip and not self._named(_plain(host), port):
                self.check_ip(ip, port)
        except Forbidden:
            return False
        return True

    def connector(self, **options: Any) -> TCPConnector:
        """Return an aiohttp connector that resolves through this guard and checks every socket it opens."""
        from aiohttp import TCPConnector  # noqa: PLC0415  (only the link checker needs aiohttp)
        from aiohttp.abc import AbstractResolver, ResolveResult  # noqa: PLC0415

        guard = self

        class Resolver(AbstractResolver):
            async def resolve(
                self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
            ) -> list[ResolveResult]:
                found = await guard.resolve(host, port)
                kinds = {4: socket.AF_INET, 6: socket.AF_INET6}
                listed = [(ip, kinds[ipaddress.ip_address(ip).version]) for ip in found]
                return [
                    ResolveResult(hostname=host, host=ip, port=port, family=kind, proto=0, flags=0)
                    for ip, kind in listed
                    if family in {socket.AF_UNSPEC, kind}
                ]

            async def close(self) -> None:
                """Hold nothing open."""

        def opened(info: tuple[Any, ...]) -> socket.socket:
            family, kind, proto, _, address = info
            host, port = str(address[0]), int(address[1])
            if (host, port) not in guard._passed:
                guard.check_ip(host, port)
            return socket.socket(family, kind, proto)

        return TCPConnector(resolver=Resolver(), socket_factory=opened, **options)

    async def self_test(self) -> None:
        """Prove that the guard is on, or end with one clear line."""
        for host in ("169.254.169.254", "127.0.0.1", "2130706433", "0177.1", "::ffff:10.0.0.1", "localhost"):
            literal = host_literal(host)
            if self._named(host, 1) or (literal and self._allowed(literal, 1)):
                continue
            try:
                await self.resolve(host, 1)
            except Forbidden:
                continue
            raise GovcrawlError(f"egress guard is off: {host} was let through")

    def _named(self, name: str, port: int) -> bool:
        return (name, port) in self._hosts or (name, None) in self._hosts

    def _allowed(self, address: Address, port: int) -> bool:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(
            address.version == network.version and address in network and at in {None, port}
            for network, at in self._networks
        )

    def _check_address(self, address: Address, host: str, port: int) -> None:
        reason = _reason(address)
        if reason and not self._allowed(address, port):
            raise self._refusal(host, reason)

    def _refusal(self, host: str, reason: str) -> Forbidden:
        self.refused += 1
        return Forbidden(host, reason)

    async def _addresses(self, name: str, port: int) -> Sequence[str]:
        """Look a name up, once for all who ask at the same time and for a while after."""
        now = time.monotonic()
        kept = self._kept.get(name)
        if kept is None or (kept[0] < now and kept[1].done()):
            task = asyncio.ensure_future(asyncio.wait_for(self._lookup(name, port), LOOKUP))
            kept = (now + KEPT, task)
            self._kept[name] = kept
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        try:
            return await asyncio.shield(kept[1])
        except BaseException:
            if kept[1].done() and self._kept.get(name) is kept:
                del self._kept[name]  # a failed look-up may heal
            raise


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Let the look-up run to its end; it is bounded and its result is kept."""


@implementer(IHostnameResolver)
class ScrapyResolver:
    """Scrapy's resolver with the guard in it: `TWISTED_DNS_RESOLVER = "govcrawl.egress.ScrapyResolver"`.

    Twisted asks it for every host it connects to, literals included. The setting `EGRESS_ALLOW` lists the
    exceptions. A process that runs crawlers without Scrapy's process class calls `install_on_reactor` itself.
    """

    def __init__(self, guard: Guard, reactor: Any) -> None:
        self.guard = guard
        self.reactor = reactor
        self.reasons: OrderedDict[str, str] = OrderedDict()

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> ScrapyResolver:
        """Build it from the settings; proxies of the crawl have to be among `EGRESS_ALLOW`."""
        return cls(Guard(crawler.settings.getlist("EGRESS_ALLOW")), reactor)

    def install_on_reactor(self) -> None:
        """Make it the reactor's resolver."""
        self.reactor.installNameResolver(self)

    def resolveHostName(  # noqa: N802  (the interface's name)
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> Any:
        """Report the addresses that may be connected to; none at all for a forbidden host."""
        resolution = _Resolution(hostName)
        task = asyncio.ensure_future(
            self._report(resolutionReceiver, resolution, portNumber, addressTypes, transportSemantics)
        )
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)
        return resolution

    def why(self, host: str) -> str | None:
        """Return why a host was refused; None for a host that only failed to resolve."""
        return self.reasons.get(host)

    async def _report(
        self,
        receiver: Any,
        resolution: _Resolution,
        port: int,
        types: Sequence[type[IAddress]] | None,
        semantics: Any,
    ) -> None:
        receiver.resolutionBegan(resolution)
        try:
            found = await self.guard.resolve(resolution.name, port)
        except Forbidden as error:
            self.reasons[resolution.name] = error.reason
            if len(self.reasons) > MOST_KEPT:
                self.reasons.popitem(last=False)
            found = []
        except (OSError, TimeoutError, UnicodeError):
            found = []
        for ip in found:
            kind = IPv6Address if ":" in ip else IPv4Address
            if types is None or kind in types:
                receiver.addressResolved(kind(semantics, ip, port))
        receiver.resolutionComplete()


_TASKS: set[asyncio.Task[None]] = set()
