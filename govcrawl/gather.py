"""The download handler: Scrapy's own HTTP/1.1 client within bounds and behind the shared pace."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from scrapy.http import Response

from govcrawl.bounds import Bounded, BoundedHandler, reason
from govcrawl.egress import Forbidden
from govcrawl.pace import NotNow, host_of, retry_after
from govcrawl.services import Services

_ERRORS: tuple[tuple[type[BaseException], str], ...] = (
    (CannotResolveHostError, "dns"),
    (DownloadTimeoutError, "timeout"),
    (TimeoutError, "timeout"),
    (DownloadConnectionRefusedError, "refused"),
    (DownloadCancelledError, "too_large"),
    (ResponseDataLossError, "truncated"),
    (UnsupportedURLSchemeError, "bad_url"),
    (IgnoreRequest, "robots"),
    (DownloadFailedError, "reset"),
    (ValueError, "bad_url"),
)
_TRANSIENT = frozenset(
    (
        "timeout",
        "reset",
        "refused",
        "dns",
        "truncated",
        "http_500",
        "http_502",
        "http_503",
        "http_504",
        "http_429",
        "http_408",
    )
)


class PoliteHandler(BoundedHandler):
    """Waits its turn at host and address before each request and tells the pace how the host took it."""

    async def download_request(self, request: Request) -> Response:
        """Return the response; raises the download errors of Scrapy."""
        services: Services = self.crawler.spider.services  # type: ignore[union-attr]
        if services.recording is not None:
            return services.recording.respond(request)
        if services.options.proxy:
            request.meta["proxy"] = services.options.proxy
        while True:
            try:
                response, elapsed = await self._in_turn(services, request)
            except NotNow as refused:
                await self._wait(services, request, refused.reason)
            else:
                break
        request.meta["elapsed"] = elapsed
        wait = response.headers.get("Retry-After")
        if response.status == 429 or (wait and response.status == 503):
            services.pace.penalise(request.url, retry_after(wait, datetime.now(UTC)))
        elif response.status < 500:  # a failing page is tried again later: no reason to slow the others
            services.pace.observe(request.url, elapsed)
        return response

    async def _in_turn(self, services: Services, request: Request) -> tuple[Response, float]:
        async with services.pace.turn(request.url, await _address(services, request.url)):
            started = time.monotonic()
            response = await super().download_request(request)
            return response, time.monotonic() - started

    async def _wait(self, services: Services, request: Request, why: str) -> None:
        """Wait for the site's hours, or for its next day; neither counts as time of the page or the site."""
        seconds = await services.ration.wait(host_of(request.url), why)
        if "page_begun" in request.meta:
            request.meta["page_begun"] += seconds
        self.crawler.spider.waited(seconds)  # type: ignore[union-attr]


async def _address(services: Services, url: str) -> str | None:
    """Return the address the request will connect to, with the errors of a download."""
    try:
        return await services.address(url)
    except Forbidden as error:
        raise Bounded("blocked") from error
    except OSError as error:
        raise CannotResolveHostError(urlsplit(url).hostname or "") from error


def name_of(error: BaseException) -> str:
    """Return the error name a failed visit is recorded under."""
    if found := reason(error):
        return found
    text = str(error).lower()
    if any(word in text for word in ("ssl", "tls", "certificate")):
        return "tls"
    return next((name for kind, name in _ERRORS if isinstance(error, kind)), "failed")


def may_heal(error: str | None) -> bool:
    """Tell whether another try of a failed visit makes sense."""
    return error in _TRANSIENT


def peer_of(response: Response) -> tuple[str, str]:
    """Return the address connected to, unless it was a proxy, and the SHA-256 of the server's certificate."""
    proxied = bool(response.request and response.request.meta.get("proxy"))
    ip = "" if proxied or response.ip_address is None else str(response.ip_address)
    shown = response.certificate
    return ip, hashlib.sha256(shown.dump()).hexdigest() if shown is not None else ""


def headers_of(response: Response) -> tuple[tuple[str, str], ...]:
    """Return the headers as received, repeated ones kept."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in response.headers.items()
        for value in (values if isinstance(values, list) else [values])
    )
