"""D1.8 解读关联."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.documents import Document
from govcrawl.indicators.relations import POLICY_TITLE, READING_TITLE, drawn_interpretations, related, unread
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import rule

_TO_FILE = f'<p>相关文件：<a href="/wj/1.html">{POLICY_TITLE}</a></p>'
_TO_READING = f'<p>相关解读：<a href="/jd/1.html">{READING_TITLE}</a></p>'
_NEIGHBOUR = '<p>上一篇：<a href="/wj/9.html">示例市人民政府关于加强防汛工作的通知</a></p>'


@rule(
    "D1.8a",
    fails=[related(), related(_TO_READING, _NEIGHBOUR)],
    passes=[
        related(reading=_TO_FILE),
        related(reading='<a href="http://x.gov.cn/1.htm">《示例市养老服务办法》</a>'),
        related(
            reading='<p>政策原文</p><p><a href="/f/1.pdf">附件.pdf</a></p>', title="一图读懂养老服务新政"
        ),
    ],
)
def interpretation_without_file(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn interpretation does not link to the policy file it explains."""
    doubts = []
    for document in drawn_interpretations(site, sample):
        if site.documents.policy_reference(document):
            continue
        if doubt := site.documents.policy_doubt(document, site.columns):
            doubts.append(doubt)
        else:
            yield Evidence(
                document.url, "未关联政策文件", expected="链接到对应的政策文件", excerpt=document.title
            )
    _raise_open(doubts, unread(site, sample))


@rule(
    "D1.8b",
    fails=[related(reading=_TO_FILE), related()],
    passes=[related(_TO_READING, _TO_FILE), related(_TO_READING)],
)
def file_without_interpretation(site: Inspection, sample: int) -> Iterator[Evidence]:
    """The policy file of a drawn interpretation does not link back to it."""
    doubts = []
    for document in drawn_interpretations(site, sample):
        url = site.documents.policy_of(document)
        policy = site.documents.read.get(url)
        if policy is None:
            doubts.append(
                f"{document.url}: its policy file {url or 'is not known'}{' was not read' * bool(url)}"
            )
        elif site.documents.interpretation_reference(policy, document):
            continue
        elif doubt := site.documents.interpretation_doubt(policy, site.columns):
            doubts.append(doubt)
        else:
            yield _not_linked(policy, document)
    _raise_open(doubts, unread(site, sample))


def _not_linked(policy: Document, document: Document) -> Evidence:
    expected = f"链接到解读 {document.url}"
    return Evidence(
        policy.url, "未关联解读材料", expected=expected, selector=document.url, excerpt=policy.title
    )


def _raise_open(doubts: list[str], missing: str) -> None:
    if doubts:
        raise CantTell("; ".join(filter(None, (*doubts, missing))))
    if missing:
        raise CantTell(missing)
