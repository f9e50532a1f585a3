"""What an answer really is: a page, a soft 404, a challenge, a shell of scripts."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import unescape

from govcrawl.decoding import decode

READ = 32 * 1024  # bytes of a page that are enough to tell what it is
_SHORT = 300  # characters of text up to which a page says one thing
_CHROME = 3000  # characters of text up to which a notice may sit in a site's usual frame
_SMALL = 4096  # bytes of a page that may be there only to send the visitor on
_TINY = 600  # bytes of a page that is read in full whatever it contains

_TITLE = re.compile(r"<title[^<>]*>([^<]{0,300})", re.IGNORECASE)
_HEADING = re.compile(r"<h[1-3][^<>]*>(.{0,200}?)</h[1-3]", re.IGNORECASE | re.DOTALL)
_UNSEEN = re.compile(
    r"<(script|style|noscript|template)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")
_DIGITS = re.compile(r"\d+")
_REFRESH = re.compile(
    r"""<meta[^>]{0,80}http-equiv\s{0,9}=\s{0,9}["']?refresh["']?[^>]{0,80}content\s{0,9}=\s{0,9}["']?\s{0,9}(\d{1,3})[^>]{0,9}?url\s{0,9}=\s{0,9}["']?([^"'>\s]+)""",
    re.IGNORECASE,
)
_JUMP = re.compile(
    r"""(?:location(?:\.href)?\s*=|location\.(?:replace|assign)\(|window\.open\()\s*["']([^"']{1,500})["']""",
    re.IGNORECASE,
)

_THING = r"(?:页面|网页|页|内容|信息|文章|资源|文件|栏目|网址|链接|地址|稿件|新闻|记录|数据|文档|附件|专题)"
_GONE = (
    r"(?:并?不存在|未找到|没有找到|找不到|无法找到|不见了|(?:可能)?(?:已经?|被|已经?被)"
    r"(?:删除|失效|下线|撤销|撤回|过期|移除|移走|关闭|清除)|走丢了?|丢失了?)"
)
_SAYS_GONE = re.compile(
    rf"{_THING}[^。！!?？<]{{0,12}}{_GONE}|(?:找不到|未找到|没有找到|无法找到|不存在)[^。！!?？<]{{0,8}}{_THING}"
    r"|\b(?:http\s{0,4})?(?:status|error|错误)?\s{0,4}[:\-]?\s{0,4}404\b(?!\s{0,4}[号路元万])"
    r"|\b(?:page|file|article|document|resource|content|url|address|link)\b[^.<]{0,40}"
    r"\b(?:not (?:be )?found|does(?: not|n.t) exist|no longer (?:exists|available)"
    r"|(?:was|been|is) (?:removed|deleted)|unavailable)"
    r"|\bnot found\b|\bcan(?:not|.t) (?:find|be found)\b|\bnothing (?:was )?found\b",
    re.IGNORECASE,
)
_TITLE_GONE = re.compile(
    rf"(?<!\w)404(?!\w)|404\s*(?:错误|页面|页)|\bnot found\b|\berror\s*404\b|{_THING}{_GONE}"
    rf"|(?:找不到|未找到|无法找到).{{0,6}}{_THING}"
    r"|^\W*(?:系统|页面|网页|访问|服务器)?(?:错误|出错了?啦?|异常)(?:提示|页面|页|信息)?\W*$",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"\W{0,40}(?:您(?:所|要|想)?(?:访问|查找|查看|浏览|请求|打开)|(?:非常|很|十分)?(?:抱歉|对不起|遗憾)"
    r"|(?:we(?:'re| are) )?sorry|oops)",
    re.IGNORECASE,
)
# Plain finds over the bytes spare nearly every page the costlier reading of its text.
_GONE_WORDS = (
    "不存在|找到|找不到|不见了|删除|失效|下线|撤|过期|移除|移走|已关闭|被关闭|清除|丢失|走丢|错误|出错|异常"
    "|not found|be found|exist|no longer|removed|deleted|unavailable|cannot find|can't find"
)
_BARRIER_WORDS = (
    "验证|安全检查|开启|启用|拦截|阻断|拒绝|防火墙|云防护|创宇盾|安全狗|玄武盾|频繁|攻击|jsl_clearance|$_ts|acw_sc__"
    "|aliyun|_waf_|cf-chl|cf_chl|cdn-cgi|just a moment|your browser|you are a human|you are human"
    "|javascript and cookies|document.cookie|blocked|denied|application firewall"
)


def _roots(words: str, *codes: str) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(word.encode(code) for word in words.split("|") for code in codes))


_GONE_ROOTS = {utf8: _roots(_GONE_WORDS, "utf-8", *("gb18030",) * (not utf8)) for utf8 in (True, False)}
_BARRIER_ROOTS = {utf8: _roots(_BARRIER_WORDS, "utf-8", *("gb18030",) * (not utf8)) for utf8 in (True, False)}

_CHALLENGE = re.compile(
    r"jsl_clearance|\$_ts\s*=|\$_ts\[|acw_sc__v2|aliyun_?waf|_waf_bd8ce2ce37|cf[-_]chl|/cdn-cgi/challenge"
    r"|just a moment\.\.\.|checking your browser|verify (?:that )?you are (?:a )?human"
    r"|enable javascript and cookies|请(?:开启|启用).{0,6}javascript"
    r"|人机验证|滑动验证|安全验证|访问验证|请完成验证|正在验证|浏览器安全检查",
    re.IGNORECASE,
)
_WAF = re.compile(
    r"(?:请求|访问)[^。<]{0,12}(?:拦截|阻断|拒绝)|网站防火墙|web应用防火墙|云防护|创宇盾|安全狗|玄武盾"
    r"|访问(?:过于)?频繁|疑似(?:黑客)?攻击|request (?:was )?blocked|access denied|web application firewall",
    re.IGNORECASE,
)
_COOKIE_AND_RELOAD = re.compile(
    r"document\.cookie\s*=.{0,2000}?(?:location|\.submit\(|history\.go)", re.DOTALL
)


@dataclass(frozen=True)
class Answer:
    """The end of a chain of redirects: where it ended and the beginning of what came."""

    target: str
    url: str
    status: int
    method: str
    headers: Mapping[str, str]
    body: bytes = b""
    whole: bool = True
    unverified: bool = False  # the certificate did not hold

    @property
    def kind(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_page(self) -> bool:
        """Tell whether the answer is HTML, by its type or, without one, by its first bytes."""
        kind = self.kind
        if kind:
            return "html" in kind
        return self.body[:256].lstrip()[:1] == b"<"

    @cached_property
    def low(self) -> bytes:
        """The bytes with ASCII letters in lower case."""
        return self.body.lower()

    def mentions(self, roots: Mapping[bool, tuple[bytes, ...]]) -> bool:
        """Tell whether one of the words occurs, in UTF-8 or, unless page and header say UTF-8, in GBK."""
        low = self.low
        declared = b"utf-8" in low[:1024] and "utf-8" in self.headers.get("Content-Type", "").lower()
        return any(root in low for root in roots[declared])

    @cached_property
    def text(self) -> str:
        """The beginning of the document as text."""
        body = self.body if self.whole else self.body[: self.body.rfind(b"<")]
        return decode(body, self.headers.get("Content-Type", "")).text

    @cached_property
    def title(self) -> str:
        """The document's title."""
        match = _TITLE.search(self.text)
        return _SPACE.sub(" ", unescape(match[1])).strip() if match else ""

    @cached_property
    def phrases(self) -> tuple[str, ...]:
        """The visible text, one piece for each stretch between tags."""
        bare = _TITLE.sub("", _UNSEEN.sub("\n", self.text))
        pieces = (_SPACE.sub(" ", unescape(piece)).strip() for piece in _TAG.split(bare))
        return tuple(piece for piece in pieces if piece)

    @cached_property
    def length(self) -> int:
        """The number of visible characters."""
        return sum(map(len, self.phrases))


def unpack(body: bytes, encoding: str) -> bytes:
    """Return the beginning of a compressed body; never more than is read of a plain one."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    for bits in (47, -15):  # gzip or zlib by its header; raw deflate, as some servers understand the name
        try:
            return zlib.decompressobj(bits).decompress(body, READ)
        except zlib.error:
            continue
    return body


def refreshes_to(answer: Answer) -> str:
    """Return where a page with next to no text of its own sends the visitor, or an empty string."""
    if len(answer.body) > _SMALL or not answer.is_page:
        return ""
    if b"refresh" not in answer.low and b"location" not in answer.low and b"window.open" not in answer.low:
        return ""
    match = _REFRESH.search(answer.text)
    if match and int(match[1]) <= 10:
        return match[2]
    if answer.length > 60 or b"document.cookie" in answer.low:
        return ""
    jump = _JUMP.search(answer.text)
    return jump[1] if jump else ""


def refusal(answer: Answer) -> str:
    """Name what stands between a visitor and the page (challenge, waf), or return an empty string."""
    if answer.status < 300 and len(answer.body) > _TINY and not answer.mentions(_BARRIER_ROOTS):
        return ""
    text = answer.text
    if answer.length > 2 * _SHORT:
        return ""
    if _CHALLENGE.search(text) or (answer.length < 60 and _COOKIE_AND_RELOAD.search(text)):
        return "challenge"
    return "waf" if _WAF.search(text) else ""


def says_gone(answer: Answer) -> str:
    """Return the words in which a page that came with status 200 says that it is not there."""
    if len(answer.body) > _TINY and not _may_say_gone(answer):
        return ""
    title = _TITLE_GONE.search(answer.title)
    if title:
        return answer.title[:80]
    if answer.length <= _SHORT:
        return _first(_SAYS_GONE, " ".join(answer.phrases))
    if answer.length > _CHROME:
        return ""
    for heading in _HEADING.findall(answer.text):
        words = _TAG.sub("", heading)
        if len(words) <= 40 and _SAYS_GONE.search(words):
            return words.strip()
    return next(
        (p for p in answer.phrases if len(p) <= 60 and _POLITE.match(p) and _SAYS_GONE.search(p)),
        "",
    )


def title_says_gone(title: str) -> bool:
    """Tell whether a title is that of an error page."""
    return bool(_TITLE_GONE.search(title))


def _may_say_gone(answer: Answer) -> bool:
    start = answer.low.find(b"<title")
    title = answer.low[start : start + 200] if start >= 0 else b""
    return b"404" in title or b"error" in title or answer.mentions(_GONE_ROOTS)


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[0].strip()[:80] if match else ""


def alike(answer: Answer, other: Answer) -> bool:
    """Tell whether two pages say the same but for their own addresses, dates and counters."""
    if _masked(answer.title, answer) != _masked(other.title, other):
        return False
    known = {_masked(phrase, other) for phrase in other.phrases}
    own = sum(len(phrase) for phrase in answer.phrases if _masked(phrase, answer) not in known)
    lost = len(known) - len(known & {_masked(phrase, answer) for phrase in answer.phrases})
    return own <= max(8, answer.length // 20) and lost <= max(2, len(known) // 10)


def _masked(phrase: str, answer: Answer) -> str:
    path = answer.target.partition("://")[2].partition("/")[2].partition("?")[0]
    name = path.rpartition("/")[2]
    for own in (answer.target, f"/{path}", path, name, name.partition(".")[0]):
        if len(own) > 3:
            phrase = phrase.replace(own, "")
    return _DIGITS.sub("", phrase)


def is_shell(answer: Answer) -> bool:
    """Tell whether a page has no text of its own and leaves everything to scripts."""
    return answer.length < 60 and "<script" in answer.text.lower()
