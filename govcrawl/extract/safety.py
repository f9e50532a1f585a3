"""Content that may harm: personal data, secrets, dark links, signs of tampering, wrong expressions.

Everything here is a candidate for a person to look at. Personal data is masked before it leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import ahocorasick

from govcrawl.extract.links import Link, absolute, read_links
from govcrawl.extract.tags import read_tags
from govcrawl.extract.text import Element, view
from govcrawl.items import GovcrawlError, Page

_AROUND = 12  # characters of context on either side of a hit


@dataclass(frozen=True, slots=True)
class Hit:
    """One candidate: what it looks like, the masked or quoted text, and the text round it."""

    kind: str
    shown: str
    context: str = ""


# --- personal data --------------------------------------------------------------------------------------

_NUMBER = re.compile(r"\d(?:\d{16}[Xx]|\d{10,39})")  # a class before all else: the engine skips other text
_PART_OF = re.compile(r"[0-9A-Za-z./_=-]")  # before a number: an address or a code goes on
_GROUPED = re.compile(r"62(?<!\d62)(?<!\d[ -]62)\d\d(?:[ -]\d{4}){3}(?:[ -]\d{1,3})?(?![\d-])")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CARD = re.compile(r"银行|卡号|账号|帐号|账户|一卡通|社保卡")
_NAMED = re.compile(r"姓\s{0,4}名|户主|申请人|参保人|考生|学生|人员名单|受助|低保|残疾")
_PROVINCES = frozenset(
    (
        *range(11, 16),
        *range(21, 24),
        *range(31, 38),
        *range(41, 47),
        *range(50, 55),
        *range(61, 66),
        71,
        81,
        82,
    )
)
MANY_PHONES = 5  # mobile numbers that make a list of people


def personal_data(page: Page) -> tuple[Hit, ...]:
    """Return ID-card and bank-card numbers, and the mobile numbers of a list of people, all masked."""
    text = view(page).text
    found: dict[str, Hit] = {}
    phones: dict[str, int] = {}
    for match in _NUMBER.finditer(text):
        number, start = match[0], match.start()
        if not _stands_alone(text, start, match.end()):
            continue
        if len(number) == 11 and number[0] == "1" and number[1] in "3456789":
            phones.setdefault(number, start)
        elif len(number) == 18 and is_identity(number):
            found[number] = _masked("身份证号", number, text, start)
        elif is_card(number) and (number[:2] == "62" or _CARD.search(text, max(0, start - 60), start)):
            found[number] = _masked("银行卡号", number, text, start)
    for match in _GROUPED.finditer(text):
        number = re.sub(r"\D", "", match[0])
        if is_card(number):
            found[number] = _masked("银行卡号", number, text, match.start())
    if len(phones) >= MANY_PHONES and _NAMED.search(text):
        first, position = min(phones.items(), key=lambda item: item[1])
        found["phones"] = _masked(f"名单中的手机号码（{len(phones)}个）", first, text, position)
    return tuple(found.values())


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether a number is not part of a longer code or an address."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return not _PART_OF.match(before) and not (after.isascii() and after.isalnum())


def is_identity(number: str) -> bool:
    """Tell whether 18 characters are a citizen's identity number: province, birthday and checksum hold."""
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    if int(number[:2]) not in _PROVINCES or not (
        1900 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= 31
    ):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()


def is_card(number: str) -> bool:
    """Tell whether a number is a bank card's: a plausible issuer, a length in use, and the Luhn checksum."""
    if not number.isdigit() or not (
        (len(number) == 16 and number[0] in "45") or (16 <= len(number) <= 19 and number[:2] == "62")
    ):
        return False
    doubled = "0246813579"
    return not sum(int(doubled[int(d)] if place % 2 else d) for place, d in enumerate(reversed(number))) % 10


def _masked(kind: str, number: str, text: str, start: int) -> Hit:
    head, tail = (3, 2) if len(number) == 11 else (4, 2)
    shown = number[:head] + "*" * (len(number) - head - tail) + number[-tail:]
    before = text[max(0, start - _AROUND) : start]
    return Hit(kind, shown, re.sub(r"\d{4,}[Xx]?", "*", before).strip())


# --- secrets --------------------------------------------------------------------------------------------

_SECRET = re.compile(  # each begins with a word, so that the engine skips all other text
    r"绝密\s?[★☆]|机密\s?[★☆]|秘密(?:\s?[★☆]|等级\s?[:：]\s?[绝机秘]密)|密级\s?[:：]\s?[绝机秘]密"
    r"|保密期限\s?[:：]\s?[绝机秘]密"
    r"|内部(?:资料|文件|材料)\s?[，,、。！!]?\s?(?:注意保存|注意保密|不得外传|严禁外传|请勿外传|不得翻印)"
    r"|此件(?:不予|不)公开|内部(?:明|密)电|密(?:发|函|电|办)?[〔\[【](?:19|20)\d\d[〕\]】]\s?\d{1,4}\s?号"
)
_SECRET_WORDS = ("密", "内部", "此件")


def secret_marks(page: Page) -> tuple[Hit, ...]:
    """Return classification marks, secret file numbers and words that forbid publication."""
    text = view(page).text
    return tuple(
        Hit("涉密标志", match[0], text[max(0, match.start() - _AROUND) : match.end() + _AROUND])
        for match in _SECRET.finditer(text)
    )


# --- links ----------------------------------------------------------------------------------------------

# Words of the trades that buy hidden links. Reports on raids use some of them too: only foreign links count.
_TRADE = re.compile(
    r"博彩|赌博网|赌场|娱乐城|百家乐|时时彩|六合彩|彩票(?:平台|网|投注)|棋牌|老虎机|葡京|太阳城|皇冠(?:体育|现金|足球|网)"
    r"|真人(?:娱乐|荷官|视讯)|体育投注|外围(?:投注|足球)|澳门(?:金沙|威尼斯人|银河|永利|赌)|电子游艺|足球(?:盘口|投注)|私服"
    r"|代孕|裸聊|成人(?:视频|电影|网站|小说)|色情|激情(?:视频|电影|小说)|无码|代开发票|发票代开|办假证|迷药|麻将(?:外挂|透视)"
    r"|\bbet\d{2,}|\bcasino\b|\bporn\b|\bslots?\b",
    re.IGNORECASE,
)
_TRADE_HOST = re.compile(
    r"bet\d{2,}|casino|porn|pg(?:dz|slot)|ag8|888(?:bet|vip)|caipiao|bocai|yulecheng|baijiale|qipai",
    re.IGNORECASE,
)
_OFF_SCREEN = re.compile(
    r"(?:left|top|right|text-indent|margin(?:-left|-top)?)\s*:\s*-9\d{2,}"
    r"|(?:^|[;\s])(?:max-)?(?:height|width)\s*:\s*0(?:px)?\s*(?:;|$)",
    re.IGNORECASE,
)
_FADED = re.compile(r"(?:font-size|opacity)\s*:\s*0(?:px)?\s*(?:;|$)", re.IGNORECASE)  # usual on holders
# Ministries, schools, public bodies, big news and sharing services: nobody hides links to these for money.
_PUBLIC = (
    ".gov.cn", ".org.cn", ".edu.cn", ".12377.cn", ".people.com.cn", ".xinhuanet.com", ".news.cn", ".cctv.com",
    ".weibo.com", ".qq.com", ".baidu.com", ".bdimg.com", ".51.la", ".cnzz.com",
)  # fmt: skip


def harmful_links(page: Page, listed: frozenset[str]) -> tuple[Hit, ...]:
    """Return links to listed domains, to the trades that plant links, and links nobody can see."""
    found: dict[str, Hit] = {}
    for link, host in _foreign(page):
        if _listed(host, listed):
            found[link.url] = Hit("列入名单的域名", host, link.text)
        elif _TRADE.search(link.text) or _TRADE_HOST.search(host):
            found[link.url] = Hit("疑似有害链接", host, link.text)
    for url, text in _unseen_links(page):
        found.setdefault(url, Hit("隐藏的外链（暗链）", _host(url), text))
    return tuple(found.values())


def _foreign(page: Page) -> Iterator[tuple[Link, str]]:
    """Yield the links that lead neither to this site nor to a public body, with their hosts."""
    hosts: dict[str, bool] = {}
    for link in read_links(page):
        host = _host(link.url)
        if (foreign := hosts.get(host)) is None:
            foreign = hosts[host] = not f".{host}".endswith(_PUBLIC) and not page.site.owns(link.url)
        if foreign:
            yield link, host


def _host(url: str) -> str:
    return url.partition("//")[2].partition("/")[0].partition(":")[0]


def _listed(host: str, listed: frozenset[str]) -> bool:
    labels = host.split(".")
    return any(".".join(labels[place:]) in listed for place in range(len(labels) - 1))


def _unseen_links(page: Page) -> Iterator[tuple[str, str]]:
    """Yield foreign links moved off the screen or shrunk to nothing; folded ones (display:none) are usual."""
    foreign = {link.url for link, _ in _foreign(page)}
    if not foreign:
        return
    for holder, style in view(page).styled:
        if "-9" not in style and ":0" not in style and ": 0" not in style:
            continue
        if _OFF_SCREEN.search(style[:500]) or (holder.tag == "a" and _FADED.search(style[:500])):
            for anchor in holder.iter("a"):
                if (url := absolute(page, anchor.get("href") or "")) in foreign:
                    yield url, _text(anchor)


def _text(anchor: Element) -> str:
    return " ".join("".join(anchor.itertext()).split())[:60]


def empty_links(page: Page) -> Iterator[str]:
    """Yield the texts of the anchors whose address is empty though they bear a text."""
    for anchor in view(page).all("a"):
        href = anchor.get("href")
        if href is None or ((bare := href.strip()) and (len(bare) > 12 or not _NO_HOST.fullmatch(bare))):
            continue
        if anchor.get("onclick") or anchor.get("id"):
            continue
        if len(text := _text(anchor)) >= 2:
            yield text


_NO_HOST = re.compile(r"https?:/{0,2}|about:blank", re.IGNORECASE)


# --- tampering ------------------------------------------------------------------------------------------

_HEAD_WORDS = 2  # words of the trades in a page's title and tags that no article on a raid carries there
_SPYING = re.compile(
    r"document\s*\.\s*referrer[\s\S]{0,200}?(?:baidu|sogou|so\.com|haosou|google|bing)[\s\S]{0,400}?(?:location|window\.open)",
    re.IGNORECASE,
)


def tampering(page: Page) -> tuple[Hit, ...]:
    """Return the traces attackers leave: a head rewritten for search engines, jumps for their visitors."""
    found = []
    tags = read_tags(page)
    heads = view(page).nodes.get("title", ())
    title = " ".join((heads[0].text_content() if heads else "").split())
    head = " ".join((title, tags.get("keywords") or "", tags.get("description") or ""))
    words = tuple(dict.fromkeys(match[0] for match in _TRADE.finditer(head[:4_000])))
    if len(words) >= _HEAD_WORDS:
        found.append(Hit("标题或关键词疑被篡改", "、".join(words[:5]), title[:60]))
    for script in view(page).nodes.get("script", ()):
        source = script.text or ""
        if "referrer" in source and (match := _SPYING.search(source[:20_000])):
            found.append(Hit("脚本按搜索来源跳转", match[0][:40]))
    return tuple(found)


# --- wrong expressions ----------------------------------------------------------------------------------


class LexiconError(GovcrawlError):
    """A lexicon or domain list cannot be read."""


class Lexicon:
    """Wrong expressions and what is right instead; one pass over a text finds them all."""

    def __init__(self, words: dict[str, str]) -> None:
        self.words = words
        self._automaton = ahocorasick.Automaton()
        for wrong in words:
            self._automaton.add_word(wrong, wrong)
        self._automaton.make_automaton()

    def find(self, text: str) -> tuple[Hit, ...]:
        """Return each wrong expression of a text once, with the text round its first place."""
        found: dict[str, Hit] = {}
        if not self.words:
            return ()
        for end, wrong in self._automaton.iter(text):
            if wrong not in found:
                start = end + 1 - len(wrong)
                found[wrong] = Hit(
                    self.words[wrong], wrong, text[max(0, start - _AROUND) : end + 1 + _AROUND]
                )
        return tuple(found.values())


@lru_cache(maxsize=4)
def load_lexicon(path: str = "") -> Lexicon:
    """Load a lexicon file; the sample that comes with the package when none is named.

    Raises LexiconError for a file that is unreadable or a line that is not "wrong => right".
    """
    words = {}
    for number, line in _lines(path, "lexicon.txt"):
        wrong, arrow, right = (part.strip() for part in line.partition("=>"))
        if not arrow or len(wrong) < 2 or wrong == right:
            raise LexiconError(
                f"{path or 'lexicon.txt'}, line {number}: '{line[:40]}' is not 'wrong => right'; correct it"
            )
        words[wrong] = right
    return Lexicon(words)


@lru_cache(maxsize=4)
def load_domains(path: str = "") -> frozenset[str]:
    """Load a list of domains; the sample that comes with the package when none is named."""
    return frozenset(line.lower().removeprefix("*.").strip(".") for _, line in _lines(path, "domains.txt"))


@dataclass(frozen=True, slots=True)
class Watch:
    """What an office watches for: its lexicon of wrong expressions and its list of domains."""

    lexicon: Lexicon
    domains: frozenset[str]

    @classmethod
    def load(cls, lexicon: str = "", domains: str = "") -> Watch:
        """Load the two files; the samples that come with the package where none is named."""
        return cls(load_lexicon(lexicon), load_domains(domains))


def _lines(path: str, own: str) -> Iterator[tuple[int, str]]:
    try:
        if path:
            text = Path(path).read_text("utf-8-sig")
        else:
            text = resources.files("govcrawl.extract").joinpath(own).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LexiconError(f"{path}: cannot be read as UTF-8 text ({error}); name a text file") from error
    for number, line in enumerate(text.splitlines(), 1):
        if (line := line.strip()) and not line.startswith("#"):
            yield number, line
