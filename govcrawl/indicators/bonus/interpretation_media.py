"""B1.2 解读回应."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.indicators.relations import drawn_interpretations, related
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence
from govcrawl.registry import rule


@rule(
    "B1.2",
    fails=[related(reading='<video src="/v/1.mp4"></video>'), related(title="图解《示例市养老服务办法》")],
    passes=[related()],
)
def interpretation_by_media(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn interpretation explains its file by a press conference, pictures, sound, film or animation."""
    explained = set()
    for document in drawn_interpretations(site, sample):
        file = site.documents.policy_of(document) or document.url
        if document.media and file not in explained:
            explained.add(file)
            yield Evidence(document.url, "、".join(document.media), excerpt=document.title)
