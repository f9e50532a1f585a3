"""The download handler: Scrapy's own HTTP/1.1 client behind the shared pace, and answers turned into pages."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
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

from govcrawl.pace import retry_after
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
_TRANSIENT = frozenset(("timeout", "reset", "refused", "dns", "truncated", "http_500", "http_502", "http_503", "http_504", "http_429", "http_408"))


class PoliteHandler(HTTP11DownloadHandler):
    """Waits its turn at the host before each request and tells the pace how the host took it."""

    async def download_request(self, request: Request) -> Response:
        """Return the response; raises the download errors of Scrapy."""
        services: Services = self.crawler.spider.services  # type: ignore[union-attr]
        if services.options.proxy:
            request.meta.setdefault("proxy", services.options.proxy)
        async with services.pace.turn(request.url):
            started = time.monotonic()
            response = await super().download_request(request)
            elapsed = time.monotonic() - started
        request.meta["elapsed"] = elapsed
        wait = response.headers.get("Retry-After")
        if response.status == 429 or (wait and response.status == 503):
            services.pace.penalise(request.url, retry_after(wait, datetime.now(UTC)))
        elif response.status < 500:  # a page that fails is tried again later; it is no reason to slow the others
            services.pace.observe(request.url, elapsed)
        return response


def name_of(error: BaseException) -> str:
    """Return the error name a failed visit is recorded under."""
    text = str(error).lower()
    if any(word in text for word in ("ssl", "tls", "certificate")):
        return "tls"
    return next((name for kind, name in _ERRORS if isinstance(error, kind)), "failed")


def may_heal(error: str | None) -> bool:
    """Tell whether another try of a failed visit makes sense."""
    return error in _TRANSIENT


def headers_of(response: Response) -> tuple[tuple[str, str], ...]:
    """Return the headers as received, repeated ones kept."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in response.headers.items()
        for value in (values if isinstance(values, list) else [values])
    )
