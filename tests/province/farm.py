"""A farm for benches: plain pages of about 25 kB with sixty links each, half of them duplicates, on a few hosts."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from random import Random

from tests.province.model import Answer
from tests.province.text import paragraphs

HOSTS = (
    "farm1.yunjiangs.gov.cn",
    "farm2.yunjiangs.gov.cn",
    "farm3.yunjiangs.gov.cn",
    "farm4.yunjiangs.gov.cn",
)
_LINKS = 60
_MISSING = Answer(404, b"<html><body>404</body></html>")


class Farm:
    """Numbered pages 0 to count-1; page n links to 30 others, each twice, so that all can be reached from page 0."""

    def __init__(self, count: int, hosts: tuple[str, ...] = HOSTS) -> None:
        self.count = count
        self.hosts = hosts
        rng = Random("farm")
        texts = paragraphs(rng, "云江省", 44)
        self._filler = "\n".join(f"<p>{text}</p>" for text in texts).encode()

    @property
    def start(self) -> str:
        """The address of page 0."""
        return self.url(0)

    def url(self, number: int) -> str:
        """Return the address of a page."""
        return f"http://{self.hosts[number % len(self.hosts)]}/page/{number}.html"

    def links(self, number: int) -> list[int]:
        """Return the distinct pages a page links to: a 29-ary tree below it, and the start."""
        below = range(number * (_LINKS // 2 - 1) + 1, (number + 1) * (_LINKS // 2 - 1) + 1)
        return [0, *(child if child < self.count else child % self.count for child in below)]

    def answer(self, host: str, path: str) -> Answer:
        """Answer one request of the farm."""
        number = path.removeprefix("/page/").removesuffix(".html")
        if host not in self.hosts or not number.isdigit() or int(number) >= self.count:
            return _MISSING
        page = int(number)
        rows = "\n".join(
            f'<li><a href="{self.url(n)}">第{n}号页面</a><span>2023-09-{n % 19 + 1:02d}</span></li>'
            for n in self.links(page)
        )
        head = f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>第{page}号页面</title></head><body><h1>第{page}号页面</h1>'
        body = f"{head}<ul>{rows}</ul><ul>{rows}</ul><div>".encode() + self._filler
        return Answer(body=body + b"</div></body></html>", content_type="text/html; charset=utf-8")
