"""One Chromium a worker process: renders pages and takes pictures under deadlines, every slot counted.

Playwright drives it directly. A page is hostile: it may spin, crash, open dialogs and windows, download, or
never fall silent. Whatever it does, a call returns within its deadline with a named error and its slot is
free again: first the tab is closed, then its site's context, then this browser, by process id, is killed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import shutil
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urldefrag, urlsplit

from playwright.async_api import Browser as Playwrights
from playwright.async_api import (
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Playwright,
    Request,
    async_playwright,
)

from govcrawl import __version__, inpage, picture, processes
from govcrawl.bounds import MAX_REDIRECTS, MAX_URL, markup
from govcrawl.decoding import decode
from govcrawl.items import GovcrawlError
from govcrawl.proxy import NAME, EgressProxy

SETTLE = 5.0  # seconds a page may take to settle after its document is parsed
# A page's own clock runs ahead while no request of it is open: what its timers do within this many
# milliseconds is done at once, then its clock stands still. No waiting for silence, no slideshow in motion.
AHEAD = 2_000
TASKS = 10_000  # of a page that never lets its clock move
PARSE = 0.6  # of the time left: a document that waits longer for a script is read as far as it came
GRACE = 1.5  # seconds for closing a tab or a context before the next harder step
LAUNCH = 20.0  # seconds to start Chromium
STALLED = 1.5  # seconds after which a picture that does not come needs a push
WATCH = 0.5  # seconds between two looks at the memory of its processes
MAX_PROCESS_MB = 1_200  # a process of Chromium that holds more is killed
MAX_DOCUMENT = 8 * 1024 * 1024  # bytes: a longer document is nothing a browser has to show
MAX_REQUESTS = 1_500  # of one visit; real home pages make up to 400
MAX_FRAMES = 50
MAX_NAVIGATIONS = 10  # of one visit: scripts and refresh tags may lead on this often
MAX_DIALOGS = 20
MAX_CONSOLE = 20
MAX_HEIGHT = 10_000  # pixels of a full-page picture
MAX_VISITS = 25  # of one tab
MAX_CONTEXTS = 12  # sites whose cookies and cache are kept
MAX_POPUPS = 20  # Chromium without windows of its own does not block any
VIEWPORT = (1366, 900)
# The first is Chromium without windows and tabs of its own: a picture takes 0.2 s of processor, not 0.5 s.
EXECUTABLES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
HEAP_MB = 768  # JavaScript heap of one tab; a tab that wants more crashes alone
DEFLATE_RATIO = 1_032  # deflate cannot expand further

# The first three build two hidden pages of Chromium's own for each window. The others are what Playwright
# switches off itself: of two lists Chromium takes the last.
_FEATURES = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
FLAGS = (
    f"--disable-features={','.join(_FEATURES)}",
    "--disable-gpu",
    "--disable-quic",  # QUIC does not pass a proxy
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--dns-prefetch-disable",
    "--disable-notifications",
    "--deny-permission-prompts",
    # Two names: Chromium with and without windows each reads one. Without it WebRTC sends past the proxy.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    f"--js-flags=--max-old-space-size={HEAP_MB}",
)
# Playwright's defaults that help a hostile page: windows without a click, floods of messages.
UNWANTED = ("--disable-popup-blocking", "--disable-ipc-flooding-protection")

# Messages of Chromium and Playwright by the error a page carries; the first that is found counts.
ERRORS = (
    ("ERR_NAME_", "dns"),
    ("ERR_CONNECTION_REFUSED", "refused"),
    ("TIMED_OUT", "timeout"),
    ("ERR_CONNECTION_RESET", "reset"),
    ("ERR_CONNECTION_CLOSED", "reset"),
    ("ERR_EMPTY_RESPONSE", "reset"),
    ("ERR_INCOMPLETE_CHUNKED", "truncated"),
    ("ERR_CONTENT_LENGTH_MISMATCH", "truncated"),
    ("ERR_CONTENT_DECODING", "encoding"),
    ("ERR_CERT", "tls"),
    ("ERR_SSL", "tls"),
    ("ERR_TOO_MANY_REDIRECTS", "redirects"),
    ("ERR_RESPONSE_HEADERS_TOO_BIG", "too_large"),
    ("ERR_RESPONSE_HEADERS", "protocol"),
    ("ERR_INVALID_", "protocol"),
    ("ERR_HTTP2", "protocol"),
    ("ERR_BLOCKED", "blocked"),
    ("ERR_UNSAFE_PORT", "blocked"),
    ("ERR_ADDRESS", "unreachable"),
    ("ERR_TUNNEL", "proxy"),
    ("ERR_PROXY", "proxy"),
    ("Download is starting", "download"),
    ("crashed", "crashed"),
    ("closed", "crashed"),
)

# Failures of Chromium that are answers of the site: an error status without a body, a password asked for.
_ANSWERED = (
    "ERR_HTTP_RESPONSE_CODE_FAILURE",
    "ERR_INVALID_AUTH_CREDENTIALS",
    "interrupted by another navigation",
)

# Pictures, sound and fonts tell a reading nothing; they are not fetched for it.
_MEDIA = "jpg jpeg png gif webp bmp ico svg mp4 mp3 flv avi wmv m3u8 woff woff2 ttf otf eot swf"
UNREAD = tuple(f"*.{suffix}{rest}" for suffix in _MEDIA.split() for rest in ("", "?*"))

SHOWN = ("text/", "application/xhtml", "application/xml", "application/json", "image/")


# What a tab hears of its page, by the visit's method that takes it.
_HEARD = {
    "Fetch.requestPaused": "paused",
    "Network.requestWillBeSent": "asks",
    "Network.loadingFailed": "failed",
    "Page.frameStartedNavigating": "leaves",
    "Page.frameStoppedLoading": "stays",
    "Page.frameNavigated": "navigated",
    "Page.frameAttached": "attached",
    "Page.domContentEventFired": "parsed",
    "Emulation.virtualTimeBudgetExpired": "expired",
}


class Seen(Protocol):
    """A page that was fetched before: a `Rendered` or an `items.Page`."""

    final_url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(slots=True)
class Rendered:
    """One page as the browser saw it; with an `error` the other fields hold what was known until then.

    `body` holds the main document's bytes as the server sent them, content coding removed, charset untouched.
    `frames` maps the addresses of same-origin frames to their serialised documents.
    """

    url: str
    final_url: str = ""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    dom: str = ""
    frames: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    text_length: int = 0  # visible characters, white space aside
    elapsed: float = 0.0
    error: str | None = None
    console: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a page: a JPEG with the faults outlined in red over a caption strip."""

    url: str
    final_url: str = ""
    status: int | None = None
    image: bytes = b""
    sha256: str = ""
    width: int = 0
    height: int = 0
    outlined: int = 0  # elements marked; none when the page no longer shows them
    body_sha256: str = ""
    elapsed: float = 0.0
    error: str | None = None


class _Fault(Exception):  # noqa: N818  (named after what the page did)
    """Ends a visit with the error name in its argument."""


def find_chromium(executable: str = "") -> str:
    """Return the path of Chromium, or end with one clear line."""
    for name in (executable, *EXECUTABLES):
        if name and (found := shutil.which(name)):
            return found
    at = f" at {executable}" if executable else ""
    raise GovcrawlError(f"Chromium not found{at}: install it with `apt-get install chromium-headless-shell`")


def _plain(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of a body whose codings are undone."""
    undone = {"content-encoding", "content-length", "transfer-encoding"}
    return [pair for pair in headers if pair[0].lower() not in undone]


def _named(error: BaseException) -> str:
    """Name the error of a page fault."""
    if isinstance(error, _Fault):
        return str(error)
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "timeout"
    text = str(error)
    return next((name for part, name in ERRORS if part in text), "navigation")


def _unfit(url: str) -> str | None:
    """Name what keeps an address from being opened at all."""
    if len(url) > MAX_URL:
        return "url_too_long"
    return None if urlsplit(url).scheme in {"http", "https"} else "scheme"


async def _quietly(call: Awaitable[object]) -> None:
    """Wait for a call on a page that may be gone by now."""
    with contextlib.suppress(Error, TimeoutError):
        async with asyncio.timeout(GRACE):
            await call


class _Tab:
    """An open page and its DevTools session; one that behaved is used again for the next page of its site."""

    def __init__(self, page: Page, cdp: CDPSession) -> None:
        self.page = page
        self.cdp = cdp
        self.frame = ""
        self.visit: _Visit | None = None
        self.visits = 0
        self.crashed = False
        self._setting: tuple[bool, bool] | None = None
        page.on("crash", self._crash)
        page.on("console", self.say)
        for name in ("dialog", "popup", "download"):
            page.on(name, self._teller(name))
        for event, name in _HEARD.items():
            cdp.on(event, self._teller(name))

    @classmethod
    async def open(cls, context: BrowserContext) -> _Tab:
        """Open a tab and listen to it."""
        page = await context.new_page()
        tab = cls(page, await context.new_cdp_session(page))
        answers = await asyncio.gather(tab.cdp.send("Page.getFrameTree"), tab.cdp.send("Page.enable"))
        tab.frame = answers[0]["frameTree"]["frame"]["id"]
        return tab

    async def show(self, visit: _Visit) -> None:
        """Take a visit in."""
        self.visits += 1
        self.visit = visit
        setting = (visit.pictures, visit.stored is not None)
        if setting == self._setting:
            return
        stages = ("Request", "Response") if visit.stored else ("Response",)
        patterns = [{"resourceType": "Document", "requestStage": stage} for stage in stages]
        calls = [self.cdp.send("Fetch.enable", {"patterns": patterns})]
        if visit.pictures:
            # The events of all pictures of a page would cost as much as taking one.
            calls.append(self.cdp.send("Network.disable"))
            if not self._setting or not self._setting[0]:
                self.page.on("requestfailed", self._fail)
        else:
            if self._setting:
                self.page.remove_listener("requestfailed", self._fail)
            calls.append(
                self.cdp.send("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})
            )
            calls.append(self.cdp.send("Network.setBlockedURLs", {"urls": list(UNREAD)}))
        await asyncio.gather(*calls)
        self._setting = setting

    def say(self, message: ConsoleMessage) -> None:
        """Pass on what the page writes to its console; a flood is not even sent to us."""
        if self.visit and not self.visit.said(message):
            self.page.remove_listener("console", self.say)

    def _crash(self, _: object) -> None:
        self.crashed = True
        if self.visit:
            self.visit.crash()

    def _fail(self, request: Request) -> None:
        if self.visit and request.is_navigation_request() and request.frame == self.page.main_frame:
            self.visit.broke_off(request.failure or "")

    def _teller(self, name: str) -> Callable[[Any], None]:
        def tell(event: Any) -> None:
            if self.visit:
                getattr(self.visit, name)(event)

        return tell


class _Visit(ABC):
    """One page from opening to closing: what it answered, what it is doing, and what ends it.

    The methods named after events of the page and of the DevTools protocol are called by its tab.
    """

    pictures = False

    def __init__(self, url: str, stored: Seen | None = None) -> None:
        self.url = url
        self.asked = url  # the address the main document was last asked at
        self.stored = stored
        self.begun = time.monotonic()
        self.final_url = ""
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = b""
        self.error: str | None = None
        self.console: list[str] = []
        self.tab: _Tab | None = None
        self.fatal: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._loader = ""
        self._fault = ""
        self._moving = False  # the main frame is on its way to another document
        self._still = False
        self._stir = asyncio.Event()
        self._parsed = asyncio.Event()
        self._chores: set[asyncio.Task[None]] = set()
        self._redirects = self._navigations = self._dialogs = self._requests = self._frames = self._popups = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the visit began."""
        return time.monotonic() - self.begun

    @property
    def refused(self) -> bool:
        """Whether the end may come from the egress proxy instead of the site."""
        return self.error in {"proxy", "reset"} or self._header("proxy-status").startswith(f"{NAME};")

    @property
    def spotless(self) -> bool:
        """Whether the tab may be used again: nothing of this page goes on in it."""
        odd = self._moving or self._chores or self._dialogs or self._popups
        quiet = self._still and len(self.console) < MAX_CONSOLE and self._navigations <= 3
        return quiet and not odd and self.error is None

    @abstractmethod
    async def work(self) -> None:
        """Do what the visit is for, on a settled page."""

    async def drive(self, context: BrowserContext, tab: _Tab | None, seconds: float) -> None:
        """Go to the address in a tab, wait until the page is settled and do the work."""
        self.tab = tab = tab or await _Tab.open(context)
        await tab.show(self)
        page = tab.page
        await self._go(page, seconds)
        if self.status in {204, 205}:
            raise _Fault("empty")
        parsed = await self._settle(seconds * PARSE)
        if page.url.startswith("chrome-error:"):
            self.final_url = self.asked
            if self.status and self.status >= 400:
                return  # the status says it all: an error without a body, or a password asked for
            raise _Fault(self._fault or "navigation")
        await self.work()
        self.final_url = page.url
        if not parsed:
            raise _Fault("timeout")

    async def leave(self) -> bool:
        """Close the tab and say whether that worked."""
        for chore in self._chores:
            chore.cancel()
        if self.tab is None:
            return True
        try:
            async with asyncio.timeout(GRACE):
                await self.tab.page.close()
        except TimeoutError:
            return False
        except Error:
            return self.tab.page.is_closed()
        return True

    async def evaluate(self, script: str) -> Any:
        """Run a script in a world of its own in the main frame, again when the page moves on meanwhile."""
        for _ in range(MAX_NAVIGATIONS):
            try:
                world = await self.send("Page.createIsolatedWorld", frameId=self._frame, worldName="govcrawl")
                context = world["executionContextId"]
                answer = await self.send(
                    "Runtime.evaluate", expression=script, returnByValue=True, contextId=context
                )
            except Error as error:
                if "context" not in str(error):
                    raise
                await self._settle()
                continue
            if "exceptionDetails" in answer:
                raise _Fault("unreadable")
            return answer["result"]["value"]
        raise _Fault("navigation_loop")

    async def send(self, method: str, **params: object) -> dict[str, Any]:
        """Send one command of the DevTools protocol."""
        assert self.tab
        return await self.tab.cdp.send(method, params)

    @property
    def _frame(self) -> str:
        return self.tab.frame if self.tab else ""

    async def _go(self, page: Page, seconds: float) -> None:
        try:
            # Not "domcontentloaded": a page that goes on to an app's scheme is never reported as loaded.
            await page.goto(self.url, wait_until="commit", timeout=seconds * 1000)
        except Error as error:
            if self.fatal.done():
                raise _Fault(self.fatal.result()) from error
            if self.status in {204, 205} or any(part in str(error) for part in _ANSWERED):
                return
            raise

    async def _settle(self, seconds: float = SETTLE) -> bool:
        """Wait until the page has done all it does within `AHEAD`; say whether its document is whole."""
        try:
            async with asyncio.timeout(seconds):
                await self._parsed.wait()
        except TimeoutError:
            await self._clock("advance")
            return False
        try:
            async with asyncio.timeout(SETTLE):
                while self._moving or not self._still:
                    self._stir.clear()
                    await self._stir.wait()
        except TimeoutError:
            if self._moving:
                raise _Fault("navigation_loop") from None
            await self._clock("advance")  # a page whose clock waits is not painted
        return self._parsed.is_set()

    async def _clock(self, policy: str, **options: object) -> None:
        """Set how time goes on in the page; one that is leaving or stuck need not hear it."""
        await _quietly(self.send("Emulation.setVirtualTimePolicy", policy=policy, **options))

    def expired(self, _: object) -> None:
        if self._loader:  # not of the page that was here before
            self._still = True
            self._stir.set()

    def _end(self, name: str) -> None:
        if not self.fatal.done():
            self.fatal.set_result(name)

    def _chore(self, call: Awaitable[object]) -> None:
        self._task(_quietly(call))

    def _task(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(call)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def asks(self, _: object) -> None:
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            self._end("request_storm")

    def failed(self, event: dict[str, Any]) -> None:
        if event.get("type") == "Document" and "ERR_ABORTED" not in event["errorText"]:
            self._fault = _named(Error(event["errorText"]))
            if event["requestId"] == self._loader:
                self.broke_off(event["errorText"])

    def broke_off(self, why: str) -> None:
        """End at a document that broke off after it had begun; one that never began is noticed by itself."""
        if self._loader and "ERR_ABORTED" not in why:
            self._end(_named(Error(why)))

    def leaves(self, event: dict[str, Any]) -> None:
        if event["frameId"] == self._frame and not event["navigationType"].endswith("ameDocument"):
            self._moving = True

    def stays(self, event: dict[str, Any]) -> None:
        if event["frameId"] == self._frame:
            self._moving = False
            self.parsed(event)  # also where the page went on to an app's scheme: nothing else will say so

    def navigated(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if "parentId" in frame:
            return
        self._loader = frame["loaderId"]
        self._moving = self._still = False
        self._parsed.clear()
        ahead = {"budget": AHEAD, "maxVirtualTimeTaskStarvationCount": TASKS}
        self._chore(self._clock("pauseIfNetworkFetchesPending", **ahead))

    def attached(self, _: object) -> None:
        self._frames += 1
        if self._frames > MAX_FRAMES:
            self._end("frame_storm")

    def parsed(self, _: object) -> None:
        if self._loader:  # not of the page that was here before
            self._parsed.set()
            self._stir.set()

    def paused(self, event: dict[str, Any]) -> None:
        self._task(self._paused(event))

    def crash(self) -> None:
        self._end("crashed")

    def download(self, _: object) -> None:
        self._end("download")

    def popup(self, page: Page) -> None:
        self._popups += 1
        if self._popups > MAX_POPUPS:
            self._end("popup_storm")
        self._chore(page.close())

    def dialog(self, dialog: Dialog) -> None:
        self._dialogs += 1
        if self._dialogs > MAX_DIALOGS:
            self._end("dialog_storm")
        self._chore(dialog.dismiss())

    def said(self, message: ConsoleMessage) -> bool:
        """Keep a line of the console; say whether more are wanted."""
        self.console.append(message.text[:200])
        return len(self.console) < MAX_CONSOLE

    async def _paused(self, event: dict[str, Any]) -> None:
        """Look at a document's request or response before the page sees it."""
        try:
            await self._look(event)
        except Error as error:
            # The document's bytes could not be had to their end; without them it cannot be judged.
            if event["frameId"] == self._frame and "responseStatusCode" in event:
                name = _named(error)
                self._end("truncated" if name == "navigation" else name)

    async def _look(self, event: dict[str, Any]) -> None:
        held = event["requestId"]
        status = event.get("responseStatusCode")
        if event["frameId"] != self._frame or "responseErrorReason" in event:
            await self.send("Fetch.continueRequest", requestId=held)
            return
        if status is None:
            await self._asking(held, event["request"]["url"])
            return
        self.asked = event["request"]["url"]
        fault = self._hop(status, event.get("responseHeaders", ()))
        if fault:
            self._end(fault)
            await self.send("Fetch.failRequest", requestId=held, errorReason="Aborted")
            return
        if 300 <= status < 400:
            await self.send("Fetch.continueResponse", requestId=held)
            return
        await self._receive(held)

    async def _asking(self, held: str, url: str) -> None:
        """Answer the main document from the stored page, where there is one."""
        stored = self.stored
        if stored is None or urldefrag(url)[0] != urldefrag(self.url)[0]:
            await self.send("Fetch.continueRequest", requestId=held)
            return
        self.status, self.headers, self.body = 200, stored.headers, stored.body
        known = {"content-type", "content-language"}
        kept = [pair for pair in self._read_as_we_do() if pair[0].lower() in known]
        await self._fulfil(held, 200, kept)

    def _hop(self, status: int, headers: Sequence[Mapping[str, str]]) -> str | None:
        """Note an answer of the main document and name what is wrong with it."""
        self.status = status
        self.headers = tuple((pair["name"], pair["value"]) for pair in headers)
        self.body = b""
        if 300 <= status < 400:
            self._redirects += 1
            return "redirects" if self._redirects > MAX_REDIRECTS else None
        self._redirects = 0
        self._navigations += 1
        if self._navigations > MAX_NAVIGATIONS:
            return "navigation_loop"
        kind = self._header("content-type").lower()
        attached = self._header("content-disposition").lower().startswith("attachment")
        if attached or (kind and not kind.startswith(SHOWN)):
            return "download"
        return "too_large" if self._length() > MAX_DOCUMENT else None

    def _header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def _length(self) -> int:
        """The declared length of the body; -1 when none is declared."""
        length = self._header("content-length").strip()
        return int(length) if length.isdigit() and len(length) < 20 else -1

    async def _receive(self, held: str) -> None:
        """Keep the document's bytes; where they could be endless, read them in pieces up to the bound."""
        coding = self._header("content-encoding").strip().lower()
        ratio = {"": 1, "identity": 1, "gzip": DEFLATE_RATIO, "deflate": DEFLATE_RATIO}.get(coding)
        if ratio and 0 <= self._length() * ratio <= MAX_DOCUMENT:
            answer = await self.send("Fetch.getResponseBody", requestId=held)
            self.body = (
                base64.b64decode(answer["body"]) if answer["base64Encoded"] else answer["body"].encode()
            )
            if self._broken():
                return
            headers = self._read_as_we_do()
            if headers == list(self.headers):
                await self.send("Fetch.continueResponse", requestId=held)
            elif not self._cut(coding):
                # Headers given to `continueResponse` do not reach the parser in every Chromium.
                await self._fulfil(held, self.status or 200, _plain(headers))
            return
        stream = (await self.send("Fetch.takeResponseBodyAsStream", requestId=held))["stream"]
        parts, total = [], 0
        while True:
            piece = await self.send("IO.read", handle=stream, size=1024 * 1024)
            data = base64.b64decode(piece["data"]) if piece.get("base64Encoded") else piece["data"].encode()
            parts.append(data)
            total += len(data)
            if total > MAX_DOCUMENT:
                self._end("too_large")
                return
            if piece["eof"]:
                break
        self.body = b"".join(parts)
        if not self.body:
            self._end("empty")  # also what is left of an answer that breaks off at once
        if self.fatal.done() or self._broken():
            return
        await self._fulfil(held, self.status or 200, _plain(self._read_as_we_do()))

    def _cut(self, coding: str) -> bool:
        """Whether bytes are missing that a browser would miss; it does not see them when it gets the rest."""
        plain = coding in {"", "identity"}
        if self._length() > len(self.body) if plain else self._length() > 0 and not self.body:
            self._end("truncated" if plain else "encoding")
        return self.fatal.done()

    def _read_as_we_do(self) -> list[tuple[str, str]]:
        """Return the headers with the charset our own decoding found: the browser trusts a wrong header."""
        kind = self._header("content-type")
        if kind and "html" not in kind.lower():
            return list(self.headers)
        found = decode(self.body, kind)
        if f"charset={found.encoding}" in kind.lower().replace(" ", "").replace('"', ""):
            return list(self.headers)
        others = [pair for pair in self.headers if pair[0].lower() != "content-type"]
        return [
            *others,
            ("Content-Type", f"{kind.partition(';')[0] or 'text/html'}; charset={found.encoding}"),
        ]

    def _broken(self) -> bool:
        """Whether the markup would break the parser; then the browser need not try."""
        if fault := markup(self.body):
            self._end(fault)
        return bool(fault)

    async def _fulfil(self, held: str, status: int, headers: Sequence[tuple[str, str]]) -> None:
        await self.send(
            "Fetch.fulfillRequest",
            requestId=held,
            responseCode=status,
            responseHeaders=[{"name": name, "value": value} for name, value in headers],
            body=base64.b64encode(self.body).decode(),
        )


class _Reading(_Visit):
    """A visit for the document."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.found: dict[str, Any] = {}

    async def work(self) -> None:
        self.found = await self.evaluate(inpage.read())
        if fault := self.found.get("error"):
            raise _Fault(fault)


class _Shooting(_Visit):
    """A visit for a picture."""

    pictures = True

    def __init__(
        self, source: str | Seen, outline: Sequence[str], caption: Sequence[str], *, clip: bool
    ) -> None:
        stored = None if isinstance(source, str) else source
        super().__init__(source if isinstance(source, str) else source.final_url, stored)
        self.outline = outline
        self.caption = caption
        self.clip = clip
        self.image = b""
        self.width = self.height = self.outlined = 0
        self.body_sha256 = ""

    async def work(self) -> None:
        place = await self.evaluate(inpage.locate(self.outline))
        # Compressed once more with the caption; a PNG in between costs twice the time and shows no more.
        shot: dict[str, object] = {"format": "jpeg", "quality": 92, "optimizeForSpeed": True}
        left, top = (0, 0) if self.clip else place["scroll"]
        if not self.clip:
            size = {"width": VIEWPORT[0], "height": min(place["size"][1], MAX_HEIGHT)}
            shot |= {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "scale": 1, **size}}
        raw = await self._capture(shot)
        boxes = [(x + left, y + top, width, height) for x, y, width, height in place["boxes"]]
        self.body_sha256 = hashlib.sha256(self.body).hexdigest()
        lines = [*self.caption, f"SHA-256 {self.body_sha256}"]
        self.image, self.width, self.height = await asyncio.to_thread(picture.compose, raw, boxes, lines)
        self.outlined = len(boxes)

    async def _capture(self, shot: Mapping[str, object]) -> bytes:
        """Take the picture; a page that is not painted because its clock stands still is set going."""
        taking = asyncio.ensure_future(self.send("Page.captureScreenshot", **shot))
        try:
            done, _ = await asyncio.wait({taking}, timeout=STALLED)
            if not done:
                await self._clock("advance")
            return base64.b64decode((await taking)["data"])
        finally:
            taking.cancel()


_V = TypeVar("_V", bound=_Visit)


class Browser:
    """Chromium for all sites of a worker process, started at the first call.

    At most `slots` pages are open at a time (`in_use` of `capacity`); further calls wait. `deadline` seconds
    bound one call once it has its slot. The browser is replaced after `max_pages` pages, `max_age` seconds,
    or when its processes hold more than `max_rss_mb` of their own memory; open pages finish in the old one.
    `proxy` is the running egress proxy, or the address of one: no name is looked up and nothing is reached
    except through it; the first start proves that with a listener on loopback.
    """

    def __init__(
        self,
        *,
        proxy: EgressProxy | str | None = None,
        executable: str = "",
        slots: int = 2,
        deadline: float = 30.0,
        max_pages: int = 200,
        max_age: float = 1800.0,
        max_rss_mb: int = 1500,
        user_agent: str = "",
    ) -> None:
        self.proxy = proxy
        self.executable = executable
        self.capacity = slots
        self.deadline = deadline
        self.max_pages = max_pages
        self.max_age = max_age
        self.max_rss_mb = max_rss_mb
        self.user_agent = user_agent
        self.in_use = 0
        self.launches = 0
        self._free = asyncio.Semaphore(slots)
        self._starting = asyncio.Lock()
        self._current: _Chromium | None = None
        self._retired: set[_Chromium] = set()
        self._closed = False

    def available(self) -> bool:
        """Tell whether Chromium is installed."""
        try:
            find_chromium(self.executable)
        except GovcrawlError:
            return False
        return True

    async def render(self, url: str, *, site_id: str) -> Rendered:
        """Open a page, wait until it settles, return bytes and document; page faults become `error`."""
        visit = await self._run(lambda: _Reading(url), site_id)
        return Rendered(
            url,
            final_url=visit.final_url or url,
            status=visit.status,
            headers=visit.headers,
            body=visit.body,
            dom=visit.found.get("dom", ""),
            frames=visit.found.get("frames", {}),
            title=visit.found.get("title", ""),
            text_length=visit.found.get("text", 0),
            elapsed=visit.elapsed,
            error=visit.error,
            console=tuple(visit.console),
        )

    async def screenshot(
        self,
        source: str | Seen,
        *,
        site_id: str,
        outline: Sequence[str] = (),
        caption: Sequence[str] = (),
        clip: bool = True,
    ) -> Shot:
        """Take a picture of an address, or of a page seen before: its stored bytes are shown, not fetched.

        `outline` names what to mark: CSS, XPath, an href or a text as it stands on the page; the first match
        is scrolled into view. `caption` lines go under the picture, followed by the SHA-256 of the page's
        body; both are drawn after the capture, so that the page is not touched and cannot touch them. `clip`
        takes the viewport, otherwise the whole page.
        """
        visit = await self._run(lambda: _Shooting(source, outline, caption, clip=clip), site_id)
        return Shot(
            visit.url,
            final_url=visit.final_url or visit.url,
            status=visit.status,
            image=visit.image,
            sha256=hashlib.sha256(visit.image).hexdigest() if visit.image else "",
            width=visit.width,
            height=visit.height,
            outlined=visit.outlined,
            body_sha256=visit.body_sha256,
            elapsed=visit.elapsed,
            error=visit.error,
        )

    async def close(self) -> None:
        """End every process this object has started; calls still waiting or running report `closed`."""
        self._closed = True
        async with self._starting:
            chromiums = [*self._retired, *([self._current] if self._current else [])]
            self._retired.clear()
            self._current = None
        for chromium in chromiums:
            await chromium.close()

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, make: Callable[[], _V], site_id: str) -> _V:
        visit = make()
        visit.error = _unfit(visit.url)
        if visit.error:
            return visit
        async with self._free:
            self.in_use += 1
            try:
                visit = make()
                end = time.monotonic() + self.deadline
                visit.error = await self._attempt(visit, site_id, end)
                if visit.error in {"lost", "crashed"} and not self._closed:
                    # Perhaps for the fault of another page in the same process: once more, in one of its own.
                    visit = make()
                    visit.error = await self._attempt(visit, f"{site_id} {id(visit)}", end)
            finally:
                self.in_use -= 1
        if visit.error == "lost":
            visit.error = "closed" if self._closed else "crashed"
        if isinstance(self.proxy, EgressProxy) and visit.refused:
            visit.error = self._why(self.proxy, visit)
        return visit

    @staticmethod
    def _why(proxy: EgressProxy, visit: _Visit) -> str | None:
        """Ask the egress proxy why it could not reach a page's host."""
        parts = urlsplit(visit.asked)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return proxy.why(parts.hostname or "", port) or visit.error

    async def _attempt(self, visit: _Visit, site_id: str, end: float) -> str | None:
        if self._closed:
            return "closed"
        try:
            chromium = await self._chromium()
        except (Error, OSError, TimeoutError):
            return "browser"
        try:
            return await chromium.serve(visit, site_id, end)
        finally:
            if chromium in self._retired and not chromium.active:
                self._retired.discard(chromium)
                await chromium.close()

    async def _chromium(self) -> _Chromium:
        """Return the browser with one more page promised to it, a new one where the old has had its time."""
        async with self._starting:
            current = self._current
            if current and self._spent(current):
                self._current = None
                if current.active:
                    self._retired.add(current)
                else:
                    await current.close()
            if self._current is None:
                self._current = await self._launch()
            self._current.active += 1
            return self._current

    async def _launch(self) -> _Chromium:
        """Start Chromium; the first one has to prove that it cannot get past the egress proxy."""
        chromium = await _Chromium.launch(self)
        if not self.launches and isinstance(self.proxy, EgressProxy):

            async def visit(url: str) -> None:
                chromium.active += 1
                await chromium.serve(_Reading(url), "", time.monotonic() + LAUNCH)

            try:
                await self.proxy.self_test(visit)
            except BaseException:
                await chromium.close()
                raise
        self.launches += 1
        return chromium

    def _spent(self, chromium: _Chromium) -> bool:
        return (
            chromium.gone.done()
            or chromium.served >= self.max_pages
            or time.monotonic() - chromium.born >= self.max_age
            or chromium.memory_mb > self.max_rss_mb
        )


@dataclass(slots=True)
class _Held:
    """A site's context and the number of its open pages."""

    context: BrowserContext
    active: int = 0


class _Chromium:
    """One running browser with its driver: its contexts, its processes and its end."""

    def __init__(self, owner: Browser, playwright: Playwright, browser: Playwrights, pid: int) -> None:
        self.playwright = playwright
        self.browser = browser
        self.born = time.monotonic()
        self.active = 0
        self.served = 0
        self.memory_mb = 0.0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process = processes.identity(pid)
        driver = processes.parent(pid)
        # The driver is ours by descent; anything else would not be ours to end.
        self._driver = (
            processes.identity(driver) if driver and processes.parent(driver) == os.getpid() else None
        )
        self._contexts: OrderedDict[str, _Held] = OrderedDict()
        self._spares: OrderedDict[str, _Tab] = OrderedDict()
        self._most_spares = owner.capacity + 2
        self._opening = asyncio.Lock()
        self._overfull = 0.0
        chrome = (
            f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{browser.version}"
        )
        self._user_agent = owner.user_agent or f"{chrome} Safari/537.36 govcrawl/{__version__}"
        browser.on("disconnected", lambda _: self._lost())
        self._watcher = asyncio.ensure_future(self._watch())

    @classmethod
    async def launch(cls, owner: Browser) -> _Chromium:
        """Start a driver and a browser; an error leaves neither behind."""
        executable = find_chromium(owner.executable)
        proxy = owner.proxy.url if isinstance(owner.proxy, EgressProxy) else owner.proxy
        args = list(FLAGS)
        if proxy:
            args.append(f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {urlsplit(proxy).hostname}")
        playwright = await async_playwright().start()
        try:
            browser = await playwright.chromium.launch(
                executable_path=executable,
                args=args,
                ignore_default_args=list(UNWANTED),
                chromium_sandbox=os.geteuid() != 0,  # Chromium's sandbox refuses to run as root
                proxy={"server": proxy, "bypass": "<-loopback>"} if proxy else None,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
                timeout=LAUNCH * 1000,
            )
            async with asyncio.timeout(LAUNCH):
                session = await browser.new_browser_cdp_session()
                found = await session.send("SystemInfo.getProcessInfo")
                await session.detach()
        except BaseException:
            await _quietly(playwright.stop())
            raise
        pid = next(process["id"] for process in found["processInfo"] if process["type"] == "browser")
        return cls(owner, playwright, browser, pid)

    async def serve(self, visit: _Visit, site_id: str, end: float) -> str | None:
        """Give a visit its tab until it is done, it fails, or its time is up; return the error's name."""
        self.served += 1
        held: _Held | None = None
        task: asyncio.Task[None] | None = None
        visit.error = "cancelled"  # until it is known
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic()):
                held = await self._context(site_id)
            held.active += 1
            seconds = max(end - time.monotonic(), 0.1)
            task = asyncio.ensure_future(visit.drive(held.context, self._spare(site_id), seconds))
            waiting: set[asyncio.Future[Any]] = {task, visit.fatal, self.gone}
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            visit.error = self._outcome(task, visit)
        except (Error, TimeoutError) as error:
            visit.error = "lost" if self.gone.done() else _named(error)
        finally:
            await self._leave(visit, site_id, held, task)
            self.active -= 1
        return visit.error

    def _outcome(self, task: asyncio.Task[None], visit: _Visit) -> str | None:
        if visit.fatal.done():
            full = visit.fatal.result() == "crashed" and time.monotonic() - self._overfull < SETTLE
            return "memory" if full else visit.fatal.result()
        if self.gone.done():
            return "lost"
        if not task.done():
            return "timeout"
        error = task.exception()
        if error is None:
            return None
        if isinstance(error, (Error, TimeoutError, _Fault)):
            return _named(error)
        raise error

    async def _leave(
        self, visit: _Visit, site_id: str, held: _Held | None, task: asyncio.Task[None] | None
    ) -> None:
        """Take the tab down by the mildest means that works."""
        if task:
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)
        if held is None:
            return
        held.active -= 1
        if visit.spotless and await self._keep(visit.tab, site_id):
            return
        if self.gone.done() or await visit.leave():
            return
        if self._contexts.get(site_id) is held:
            del self._contexts[site_id]
            self._spares.pop(site_id, None)
        if not await self._shut(held.context):
            self.kill()

    def _spare(self, site_id: str) -> _Tab | None:
        tab = self._spares.pop(site_id, None)
        return tab if tab and not tab.crashed and not tab.page.is_closed() else None

    async def _keep(self, tab: _Tab | None, site_id: str) -> bool:
        """Keep a tab for the next page of its site; the tab kept longest makes room."""
        if (
            tab is None
            or tab.visits >= MAX_VISITS
            or site_id in self._spares
            or site_id not in self._contexts
        ):
            return False
        tab.visit = None
        self._spares[site_id] = tab
        if len(self._spares) > self._most_spares:
            _, oldest = self._spares.popitem(last=False)
            await _quietly(oldest.page.close())
        return True

    async def _context(self, site_id: str) -> _Held:
        async with self._opening:
            held = self._contexts.get(site_id)
            if held is None:
                held = _Held(
                    await self.browser.new_context(
                        accept_downloads=False,
                        ignore_https_errors=True,  # as Scrapy does: a bad certificate is a fault of its own
                        locale="zh-CN",
                        timezone_id="Asia/Shanghai",
                        service_workers="block",
                        user_agent=self._user_agent,
                        viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]},
                    )
                )
                self._contexts[site_id] = held
            self._contexts.move_to_end(site_id)
            idle = [name for name, one in self._contexts.items() if not one.active and one is not held]
            for name in idle[: max(len(self._contexts) - MAX_CONTEXTS, 0)]:
                self._spares.pop(name, None)
                await self._shut(self._contexts.pop(name).context)
            return held

    async def _shut(self, context: BrowserContext) -> bool:
        try:
            async with asyncio.timeout(GRACE):
                await context.close()
        except TimeoutError:
            return False
        except Error:
            return self.gone.done()
        return True

    async def _watch(self) -> None:
        """Keep an eye on the memory: a process of this browser that takes too much is killed alone."""
        while self._process:
            await asyncio.sleep(WATCH)
            sizes = {pid: processes.private_mb(pid) for pid in processes.tree(self._process[0])}
            self.memory_mb = sum(sizes.values())
            for pid, size in sizes.items():
                if size > MAX_PROCESS_MB:
                    self._overfull = time.monotonic()
                    processes.kill(processes.identity(pid))

    def _lost(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def kill(self) -> None:
        """End the browser's processes at once."""
        processes.kill(self._process)
        self._lost()

    async def close(self) -> None:
        """End browser and driver, by force where they do not end by themselves."""
        self._watcher.cancel()
        await _quietly(self.browser.close())
        self.kill()
        await _quietly(self.playwright.stop())
        processes.kill(self._driver)
