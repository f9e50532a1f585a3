"""The link checker: each target once, tried again while it may heal, judged by what it shows."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from govcrawl.items import Attempt, LinkCheck, LinkState
from govcrawl.links import address, reading
from govcrawl.links.reading import Answer
from govcrawl.pace import NotNow, Pace, host_of, retry_after

HOPS = 8
_FAILURES = (aiohttp.ClientError, OSError, TimeoutError, ValueError)  # ValueError: an address aiohttp rejects
_KEEP = 64 * 1024  # a body up to this size is read to its end so that its connection can be used again
_LOOKUPS = 16  # names asked for at a time: one dead name server must not hold up the others
_NAMES = 10_000
_NAME_HOLDS = 300.0  # seconds
_REMEMBERED = 100_000  # verdicts shared within the process
_PROBES = 40  # made-up addresses asked of one origin
_PATIENCE = (1.0, 1.5, 2.0)  # a slow server gets more time at each try
_OVERLOADED = 8  # 503 in a row without Retry-After that count as a refusal of the host
_RATE_TRIES = 4  # further tries of a target whose host limits our rate: the pace slows down meanwhile
_BARRED = frozenset({401, 402, 403, 405, 406, 407, 412, 418, 421, 423, 426, 428, 431, 444, 451, 511, 999})
_NOT_NOW = ("outside_window", "daily_budget")  # left to a later pass
_NOT_FOR_BROWSERS = frozenset(
    {"not_http", "invalid_url", "forbidden_address", "redirect_scheme", "proxy", *_NOT_NOW}
)
_BUSY = frozenset({408, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5",
    "Accept-Encoding": "identity",  # nothing to unpack, so nothing that can blow up
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a browser saw at an address."""

    status: int | None
    final_url: str
    text_length: int
    title: str = ""
    error: str | None = None


Allow = Callable[[str, int, str], bool]  # host, port, and the address about to be connected to or nothing
_Cookies = dict[tuple[str, str], str]  # (host, name) -> value, for one chain of redirects


class _Broken(Exception):  # noqa: N818  (an outcome of one try)
    """A try that brought no answer; the argument names why."""

    @property
    def error(self) -> str:
        return str(self.args[0])


class _Judged(NamedTuple):
    """What one try came to; `again` asks for another before it counts."""

    state: LinkState
    status: int | None = None
    error: str | None = None
    reason: str = ""
    again: bool = False


class _Call(NamedTuple):
    """One request: the hop of a target it belongs to and what is sent."""

    method: str
    target: str
    url: str
    where: URL
    port: int
    headers: Mapping[str, str]
    limit: aiohttp.ClientTimeout


class _Job:
    """One target under way."""

    __slots__ = ("attempts", "barred", "host", "listeners", "rate_tries", "target", "tries")

    def __init__(self, target: str) -> None:
        self.target = target
        self.host = host_of(target)
        self.attempts: list[Attempt] = []
        self.tries = 0
        self.rate_tries = 0
        self.barred = False  # the host limited us at some try, so its silence proves nothing
        self.listeners: list[asyncio.Queue[LinkCheck]] = []


class _Lane:
    """The targets of one host, worked off by at most as many tasks as the host may have in flight."""

    __slots__ = ("jobs", "workers")

    def __init__(self) -> None:
        self.jobs: deque[_Job] = deque()
        self.workers = 0


class _Resolver(AbstractResolver):
    """Looks a name up once for the pace, the guard and the connection alike."""

    def __init__(self, allow: Allow) -> None:
        self._allow = allow
        self._known: dict[str, tuple[float, list[ResolveResult]]] = {}
        self._running: dict[str, asyncio.Future[list[ResolveResult]]] = {}
        self._threads = ThreadPoolExecutor(_LOOKUPS, "link-names")

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """Return the allowed addresses of a name (OSError: it has none; _Broken: none is allowed)."""
        held = self._known.get(host)
        found = held[1] if held and held[0] > asyncio.get_running_loop().time() else await self._look_up(host)
        allowed = [entry for entry in found if self._allow(host, port, entry["host"])]
        if not allowed:
            raise _Broken("forbidden_address")
        return [ResolveResult(**{**one, "port": port}) for one in allowed if family in (0, one["family"])]

    async def _look_up(self, host: str) -> list[ResolveResult]:
        running = self._running.get(host)
        if running is None:
            running = self._running[host] = asyncio.ensure_future(self._ask(host))
            running.add_done_callback(partial(self._asked, host))
        return await asyncio.shield(running)

    def _asked(self, host: str, done: asyncio.Future[list[ResolveResult]]) -> None:
        self._running.pop(host, None)
        if not done.cancelled():
            done.exception()  # whoever asked may have been stopped meanwhile

    async def _ask(self, host: str) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        look_up = partial(socket.getaddrinfo, host, 0, type=socket.SOCK_STREAM)
        found = await loop.run_in_executor(self._threads, look_up)
        known = [
            ResolveResult(hostname=host, host=str(where[0]), port=0, family=family, proto=proto, flags=0)
            for family, _, proto, _, where in found
        ]
        if len(self._known) >= _NAMES:
            self._known.clear()
        self._known[host] = (loop.time() + _NAME_HOLDS, known)
        return known

    async def close(self) -> None:
        """Forget all names; look-ups still under way end by themselves."""
        self._known.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)


class LinkChecker:
    """Decide for each link target whether it is alive, dead, wrong or cannot be told.

    Files are asked for with HEAD, and with GET where HEAD is refused or doubtful. Pages are asked for with
    GET at once, since only their text tells a soft 404, and are read no further than 32 kB. What may heal
    (time-outs, resets, names that do not resolve, 429, 5xx) is tried again after each of `retries` seconds
    while others go on; a 4xx is asked a second time. With `second_opinion` (a browser) nothing is called
    dead, wrong or unknown before the browser has looked.

        async for check in checker.check_many(targets):
            ...
    """

    def __init__(
        self,
        *,
        pace: Pace,
        user_agent: str,
        proxy: str | None = None,
        timeout: float = 15.0,
        retries: tuple[float, ...] = (1.0, 4.0, 15.0),
        concurrency: int = 64,
        allow: Allow = lambda _host, _port, _ip: True,
        second_opinion: Callable[[str], Awaitable[Seen | None]] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pace = pace
        self._proxy = URL(proxy) if proxy else None
        self._headers = {**_HEADERS, "User-Agent": user_agent}
        self._timeout = timeout
        self._retries = retries
        self._allow = allow
        self._second_opinion = second_opinion
        self._now = now
        self._flying = asyncio.Semaphore(concurrency)
        self._most_workers = concurrency * 16
        self._workers: set[asyncio.Task[None]] = set()
        self._looking: set[asyncio.Task[None]] = set()  # wait for the browser
        self._timers: set[asyncio.TimerHandle] = set()
        self._lanes: dict[str, _Lane] = {}
        self._idle: deque[str] = deque()  # hosts with work for which no worker was free
        self._open: dict[str, _Job] = {}
        self._memo: dict[str, LinkCheck] = {}
        self._probes: dict[tuple[str, str, str], asyncio.Future[Answer | None]] = {}
        self._probed: dict[str, int] = {}
        self._no_head: set[str] = set()
        self._overloads: dict[str, int] = {}  # 503 in a row, by host
        self._resolver = _Resolver(allow)
        self._session: aiohttp.ClientSession | None = None
        self._lenient: ssl.SSLContext | None = None

    async def check_many(self, targets: Iterable[str] | Sequence[str]) -> AsyncIterator[LinkCheck]:
        """Yield the verdict on each distinct target as it is decided; `target` is its normalised address."""
        decided: asyncio.Queue[LinkCheck] = asyncio.Queue()
        wanted = dict.fromkeys(address.normalise(target) for target in targets)
        for target in wanted:
            known = self._memo.get(target)
            if known is not None:
                decided.put_nowait(known)
                continue
            job = self._open.get(target)
            if job is None:
                job = self._open[target] = _Job(target)
                self._submit(job)
            job.listeners.append(decided)
        for _ in range(len(wanted)):
            yield await decided.get()

    async def close(self) -> None:
        """Stop all checks and close all connections; who still waits gets an undecided verdict."""
        for timer in self._timers:
            timer.cancel()
        tasks = [*self._workers, *self._looking]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in list(self._open.values()):
            self._announce(job, LinkCheck(job.target, LinkState.UNKNOWN, reason="stopped"))
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    # -- who works on what, and when

    def _submit(self, job: _Job) -> None:
        lane = self._lanes.get(job.host)
        if lane is None:
            lane = self._lanes[job.host] = _Lane()
        lane.jobs.append(job)
        if lane.workers >= self._pace.per_host:
            return
        if len(self._workers) < self._most_workers:
            self._hire(job.host, lane)
        else:
            self._idle.append(job.host)

    def _hire(self, host: str, lane: _Lane) -> None:
        lane.workers += 1
        task = asyncio.ensure_future(self._work(host, lane))
        self._workers.add(task)
        task.add_done_callback(self._workers.discard)

    async def _work(self, host: str, lane: _Lane) -> None:
        try:
            while lane.jobs:
                await self._check(lane.jobs.popleft())
        finally:
            lane.workers -= 1
            if not lane.workers and not lane.jobs:
                self._lanes.pop(host, None)
        while self._idle:
            name = self._idle.popleft()
            waiting = self._lanes.get(name)
            if waiting is not None and waiting.jobs and waiting.workers < self._pace.per_host:
                self._hire(name, waiting)
                return

    def _later(self, job: _Job, seconds: float) -> None:
        def due() -> None:
            self._timers.discard(timer)
            self._submit(job)

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._timers.add(timer)

    async def _check(self, job: _Job) -> None:
        try:
            judged = await self._try(job)
        except Exception as error:  # a fault of ours must not lose the target
            judged = _Judged(LinkState.UNKNOWN, error=type(error).__name__, reason="internal_error")
        wait = self._wait_before_next(job, judged)
        if wait is not None:
            self._later(job, wait)
            return
        check = self._conclude(job, judged)
        settled = check.state is LinkState.ALIVE or check.reason in _NOT_FOR_BROWSERS
        if self._second_opinion is None or settled:
            self._announce(job, check)
            return
        task = asyncio.ensure_future(self._ask_browser(job, check))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    def _wait_before_next(self, job: _Job, judged: _Judged) -> float | None:
        if not judged.again:
            return None
        if judged.status in _BUSY and job.rate_tries < _RATE_TRIES and self._retries:
            job.rate_tries += 1
            return 0.0  # the pace holds the host
        if judged.error in ("http_404", "http_410") or (judged.status or 500) < 500:
            return self._retries[0] if self._retries and job.tries < 2 else None
        if job.tries > len(self._retries):
            return None
        return self._retries[job.tries - 1]

    def _conclude(self, job: _Job, judged: _Judged) -> LinkCheck:
        state, reason = judged.state, judged.reason
        if judged.again and state is LinkState.DEAD and job.barred and (judged.status or 500) >= 500:
            state, reason = LinkState.UNKNOWN, "rate_limited"
        return LinkCheck(job.target, state, judged.status, judged.error, reason, tuple(job.attempts))

    def _announce(self, job: _Job, check: LinkCheck) -> None:
        self._open.pop(job.target, None)
        if len(self._memo) >= _REMEMBERED:
            self._memo.pop(next(iter(self._memo)))
        self._memo[job.target] = check
        for listener in job.listeners:
            listener.put_nowait(check)

    # -- one try

    async def _try(self, job: _Job) -> _Judged:
        job.tries += 1
        scheme = job.target[:6].lower()
        if not scheme.startswith(("http:", "https:")):
            return _Judged(LinkState.UNKNOWN, error="scheme", reason="not_http")
        if not job.host:
            return _Judged(LinkState.DEAD, error="invalid_url", reason="invalid_url")
        patience = self._timeout * _PATIENCE[min(job.tries, len(_PATIENCE)) - 1]
        try:
            answer = await self._ask(job.target, job.attempts, patience)
        except _Broken as broken:
            return self._judge_silence(broken.error)
        if answer.status in _BUSY:
            job.barred = True
        return await self._judge(answer, patience)

    @staticmethod
    def _judge_silence(error: str) -> _Judged:
        if error in ("forbidden_address", "redirect_scheme", *_NOT_NOW):
            return _Judged(LinkState.UNKNOWN, error=error, reason=error)
        if error in ("proxy", "tls"):
            return _Judged(LinkState.UNKNOWN, error=error, reason=error, again=True)
        if error == "invalid_url":
            return _Judged(LinkState.DEAD, error=error, reason=error)
        return _Judged(LinkState.DEAD, error=error, reason=error, again=True)

    async def _ask(self, target: str, attempts: list[Attempt], patience: float) -> Answer:
        """Return what a target answers, with HEAD for a file and GET for a page or where HEAD is doubtful."""
        host = host_of(target)
        head_status = None
        if address.is_file(target) and host not in self._no_head:
            try:
                answer = await self._chain("HEAD", target, attempts, patience)
            except _Broken as broken:
                if broken.error not in ("timeout", "reset", "protocol"):
                    raise
            else:
                if 200 <= answer.status < 300 and answer.kind and not answer.is_page:
                    return answer
                head_status = answer.status
        answer = await self._chain("GET", target, attempts, patience)
        refused = head_status is None or head_status >= 400
        if address.is_file(target) and refused and answer.status < 300 and host not in self._no_head:
            self._no_head.add(host)
        return answer

    async def _chain(self, method: str, target: str, attempts: list[Attempt], patience: float) -> Answer:
        """Follow redirects by hand, each hop in its own turn and past the guard."""
        url = target
        cookies: _Cookies = {}
        visited: set[tuple[str, int]] = set()
        for _ in range(HOPS + 1):
            try:
                answer = await self._request(self._call(method, target, url, patience), cookies)
            except _Broken as broken:
                attempts.append(Attempt(method, None, broken.error, self._now()))
                raise
            error = None if answer.status < 400 else f"http_{answer.status}"
            attempts.append(Attempt(method, answer.status, error, self._now()))
            onward = self._onward(answer)
            if not onward:
                return answer
            url = onward
            if (url, len(cookies)) in visited:
                break
            visited.add((url, len(cookies)))
        raise _Broken("redirect_loop")

    @staticmethod
    def _onward(answer: Answer) -> str:
        if answer.status in _REDIRECTS:
            location = answer.headers.get("Location", "")
            return address.follow(answer.url, location) if location else ""
        if answer.status == 200 and answer.body and (jump := reading.refreshes_to(answer)):
            return address.follow(answer.url, jump)
        return ""

    async def _request(self, call: _Call, cookies: _Cookies) -> Answer:
        host = host_of(call.url)
        ip = await self._locate(host, call.port)
        if cookies:
            pairs = "; ".join(f"{name}={value}" for (home, name), value in cookies.items() if home == host)
            call = call._replace(headers={**self._headers, "Cookie": pairs} if pairs else self._headers)
        loop = asyncio.get_running_loop()
        try:
            async with self._pace.turn(call.url, ip), self._flying:
                began = loop.time()
                answer = await self._fetch(call)
        except NotNow as refused:
            raise _Broken(refused.reason) from refused
        self._learn(call.url, host, answer, loop.time() - began)
        if answer.status in _REDIRECTS:
            _collect(cookies, host, answer.headers)
        return answer

    def _learn(self, url: str, host: str, answer: Answer, elapsed: float) -> None:
        """Tell the pace how the host bears us; one page that is always 503 does not speak for its host."""
        if answer.status not in (429, 503):
            self._overloads.pop(host, None)
            self._pace.observe(host, elapsed)
            return
        wait = retry_after(answer.headers.get("Retry-After"), self._now())
        self._overloads[host] = self._overloads.get(host, 0) + 1
        if answer.status == 429 or wait is not None or self._overloads[host] >= _OVERLOADED:
            self._pace.penalise(url, wait)

    def _call(self, method: str, target: str, url: str, patience: float) -> _Call:
        if not url.startswith(("http://", "https://")):
            raise _Broken("redirect_scheme")
        try:
            where = URL(url, encoded=True)
            port = where.port or 0
        except ValueError as error:
            raise _Broken("invalid_url") from error
        return _Call(method, target, url, where, port, self._headers, aiohttp.ClientTimeout(total=patience))

    async def _locate(self, host: str, port: int) -> str | None:
        """Return the address a host has, past the guard; None where a proxy finds it out."""
        literal = _literal(host)
        # A proxy would look the spellings of an inner address up for us: the guard reads the host itself too.
        if not self._allow(host, port, literal or ""):
            raise _Broken("forbidden_address")
        if literal is not None:
            return literal
        if self._proxy is not None:
            return None
        try:
            return (await self._resolver.resolve(host, port))[0]["host"]
        except (OSError, UnicodeError) as error:
            raise _Broken("dns") from error

    async def _fetch(self, call: _Call) -> Answer:
        try:
            return await self._exchange(call, context=True)
        except aiohttp.ClientSSLError:
            pass  # an expired or foreign certificate does not make a page dead; the verdict notes it
        except _FAILURES as error:
            raise _Broken(_name(error)) from error
        try:
            answer = await self._exchange(call, context=self._permissive())
        except aiohttp.ClientSSLError as error:
            raise _Broken("tls") from error
        except _FAILURES as error:
            raise _Broken(_name(error)) from error
        return replace(answer, unverified=True)

    async def _exchange(self, call: _Call, context: ssl.SSLContext | bool) -> Answer:
        session = self._session or self._connect()
        response = await session.request(
            call.method,
            call.where,
            headers=call.headers,
            allow_redirects=False,
            proxy=self._proxy,
            timeout=call.limit,
            ssl=context,
        )
        try:
            answer = Answer(call.target, call.url, response.status, call.method, response.headers)
            if call.method == "HEAD" or not _worth_reading(answer):
                return answer
            body, whole = await _beginning(response)
        finally:
            if response.content.is_eof():
                response.release()
            else:
                response.close()
        encoding = response.headers.get("Content-Encoding", "")
        return replace(answer, body=reading.unpack(body, encoding) if encoding else body, whole=whole)

    def _connect(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # the pace and the semaphore count already
            resolver=self._resolver,
            use_dns_cache=False,  # the resolver keeps what the guard has let through
            keepalive_timeout=10,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # visits must not colour each other
            auto_decompress=False,
            max_line_size=65536,
            max_field_size=65536,
        )
        return self._session

    def _permissive(self) -> ssl.SSLContext:
        if self._lenient is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")  # what browsers of visitors may still accept
            context.options |= 0x4  # OP_LEGACY_SERVER_CONNECT: named only from Python 3.12 on
            self._lenient = context
        return self._lenient

    # -- the verdict on an answer

    async def _judge(self, answer: Answer, patience: float) -> _Judged:
        status = answer.status
        error = f"http_{status}" if status >= 400 else None
        barrier = reading.refusal(answer) if answer.body else ""
        if barrier:
            return _Judged(LinkState.UNKNOWN, status, error, barrier)
        if status in _BUSY:
            return _Judged(LinkState.UNKNOWN, status, error, "rate_limited", again=True)
        if status in _BARRED:
            return _Judged(LinkState.UNKNOWN, status, error, f"http_{status}")
        if status >= 400:
            return _Judged(LinkState.DEAD, status, error, f"http_{status}", again=True)
        if status in _REDIRECTS:
            return _Judged(LinkState.DEAD, status, "redirect_nowhere", "redirect_nowhere", again=True)
        return await self._judge_content(answer, patience)

    async def _judge_content(self, answer: Answer, patience: float) -> _Judged:
        status = answer.status
        if address.leads_home(answer.target, answer.url):
            return _Judged(LinkState.WRONG, status, reason="redirect_home")
        if answer.url != answer.target and address.is_error_page(answer.url):
            return _Judged(LinkState.WRONG, status, reason="redirect_error_page")
        note = "tls_unverified" if answer.unverified else ""
        if not answer.is_page or status in (204, 205, 304):
            return _Judged(LinkState.ALIVE, status, reason=note)
        if not answer.body:
            return _Judged(LinkState.UNKNOWN, status, reason="empty")
        if words := reading.says_gone(answer):
            return _Judged(LinkState.WRONG, status, reason=f"soft_404: {words}")
        if address.is_home(answer.target):
            return _Judged(LinkState.ALIVE, status, reason=note)
        other = await self._probe(answer, patience)
        if other is None or not reading.alike(answer, other):
            return _Judged(LinkState.ALIVE, status, reason=note)
        if reading.is_shell(answer):
            return _Judged(LinkState.UNKNOWN, status, reason="script_shell")
        return _Judged(LinkState.WRONG, status, reason="soft_404: as a made-up address")

    async def _probe(self, answer: Answer, patience: float) -> Answer | None:
        """Return the page with status 2xx shown for an address that nobody published, if there is one."""
        key = address.neighbourhood(answer.target)
        future = self._probes.get(key)
        if future is None:
            if self._probed.get(key[0], 0) >= _PROBES:
                return None
            self._probed[key[0]] = self._probed.get(key[0], 0) + 1
            future = self._probes[key] = asyncio.get_running_loop().create_future()
            found = None
            try:
                found = await self._made_up(answer.target, patience)
                if found is not None and await self._shows_one_page(answer.target, found, patience):
                    found = None
            finally:
                future.set_result(found)
            return found
        return await asyncio.shield(future)

    async def _shows_one_page(self, target: str, found: Answer, patience: float) -> bool:
        """Tell whether a host answers its own home page like any address: then likeness accuses nobody."""
        try:
            home = await self._chain("GET", address.follow(target, "/"), [], patience)
        except _Broken:
            return False
        return reading.alike(home, found)

    async def _made_up(self, target: str, patience: float) -> Answer | None:
        try:
            answer = await self._chain("GET", address.made_up(target), [], patience)
        except _Broken:
            return None
        return answer if 200 <= answer.status < 300 and answer.is_page and answer.body else None

    # -- the second opinion

    async def _ask_browser(self, job: _Job, check: LinkCheck) -> None:
        assert self._second_opinion is not None
        try:
            seen = await self._second_opinion(job.target)
        except Exception:  # a browser that fails has no opinion
            seen = None
        self._announce(job, check if seen is None else settle(check, seen))


def settle(check: LinkCheck, seen: Seen) -> LinkCheck:
    """Return the verdict after the browser's look; a browser that saw nothing leaves it as it was."""
    if seen.error or seen.status is None:
        return check
    if check.reason in ("soft_404: as a made-up address", "script_shell") and seen.text_length < 200:
        return check
    by_browser = replace(check, status=seen.status, decided_by="browser")
    if seen.status in (404, 410):
        return replace(
            by_browser, state=LinkState.DEAD, error=f"http_{seen.status}", reason=f"http_{seen.status}"
        )
    if seen.status >= 400 or seen.text_length < 50 or check.reason == "soft_404: as a made-up address":
        return check
    if address.leads_home(check.target, address.normalise(seen.final_url)):
        return replace(by_browser, state=LinkState.WRONG, error=None, reason="redirect_home")
    if reading.title_says_gone(seen.title) or address.is_error_page(seen.final_url):
        return replace(by_browser, state=LinkState.WRONG, error=None, reason=f"soft_404: {seen.title[:80]}")
    if check.reason.startswith("soft_404") and seen.text_length < 1000:
        return check
    return replace(by_browser, state=LinkState.ALIVE, error=None, reason="seen_by_browser")


def _worth_reading(answer: Answer) -> bool:
    return answer.is_page or not answer.kind or answer.status >= 400


async def _beginning(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Read a body's beginning: all of a small one, so that the connection can be used again."""
    length = response.content_length
    limit = _KEEP if length is not None and length <= _KEEP else reading.READ
    parts: list[bytes] = []
    size = 0
    try:
        while size < limit:
            part = await response.content.readany()
            if not part:
                return b"".join(parts)[: reading.READ], size <= reading.READ
            parts.append(part)
            size += len(part)
    except (aiohttp.ClientError, OSError, TimeoutError):
        if not parts:
            raise
    body = b"".join(parts)
    return body[: reading.READ], False


def _collect(cookies: _Cookies, host: str, headers: Mapping[str, str]) -> None:
    for line in headers.getall("Set-Cookie", ()):  # type: ignore[attr-defined]  # a multidict
        name, equals, value = line.partition(";")[0].partition("=")
        if equals and len(cookies) < 20:
            cookies[host, name.strip()] = value.strip()


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None


def _name(error: BaseException) -> str:
    """Name what kept an answer from coming."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "proxy"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"http_{error.status}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, ValueError):
        return "invalid_url"
    number = getattr(error, "errno", None)
    if number == errno.ECONNREFUSED:
        return "refused"
    if number in (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE):
        return "reset"
    if isinstance(error, aiohttp.ClientResponseError):
        return "protocol"
    if isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionError)):
        return "reset"
    return "unreachable"
