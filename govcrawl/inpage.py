"""The two scripts that run inside a page, in a world of their own that the page's scripts cannot reach."""

from __future__ import annotations

import json
from collections.abc import Sequence

MAX_ELEMENTS = 200_000
MAX_CHARACTERS = 16_000_000
MAX_FRAMES = 20

_READ = """(() => {
  const most = %d, longest = %d, frames = {};
  const source = (doc) => {
    const root = doc.documentElement;
    if (!root) return '';
    const type = doc.doctype ? new XMLSerializer().serializeToString(doc.doctype) + '\\n' : '';
    return type + root.outerHTML;
  };
  const title = document.title.slice(0, 500);
  const count = document.getElementsByTagName('*').length;
  if (count > most) return {error: 'huge_dom', title};
  const dom = source(document);
  if (dom.length > longest) return {error: 'huge_dom', title};
  let total = dom.length, number = 0;
  const enter = (doc, depth) => {
    for (const element of doc.querySelectorAll('iframe, frame')) {
      const inner = element.contentDocument;
      if (!inner || depth > 5 || number >= %d) continue;
      if (inner.getElementsByTagName('*').length > most) continue;
      const html = source(inner);
      total += html.length;
      if (total > longest) return;
      frames[inner.URL in frames ? inner.URL + '#' + number : inner.URL] = html;
      number += 1;
      enter(inner, depth + 1);
    }
  };
  enter(document, 0);
  const body = document.body;
  const text = !body ? '' : count > 20000 ? body.textContent : body.innerText || '';
  return {dom, frames, title, text: text.replace(/\\s+/g, '').length};
})()"""

_LOCATE = """((wanted) => {
  const words = (text) => (text || '').replace(/\\s+/g, ' ').trim();
  const byCss = (doc, one) => { try { return [...doc.querySelectorAll(one)]; } catch (e) { return []; } };
  const byPath = (doc, one) => {
    try {
      const found = doc.evaluate(one.replace(/^xpath=/, ''), doc, null, 7, null);
      return Array.from({length: found.snapshotLength}, (_, i) => found.snapshotItem(i))
        .map((node) => node.nodeType === 1 ? node : node.ownerElement || node.parentElement);
    } catch (e) { return []; }
  };
  const byLink = (doc, one) => [...doc.querySelectorAll('[href], [src]')].filter((element) =>
    [element.getAttribute('href'), element.getAttribute('src'), element.href, element.src].includes(one));
  const byText = (doc, one) => {
    const text = words(one);
    if (!text) return [];
    const all = [...doc.querySelectorAll('body, body *')].filter((element) =>
      !['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName)
      && words(element.textContent).includes(text));
    const outer = new Set(all.map((element) => element.parentElement));
    const inner = all.filter((element) => !outer.has(element));
    const exact = inner.filter((element) => words(element.textContent) === text);
    return exact.length ? exact : inner;
  };
  const documents = [[document, null]];
  for (const frame of document.querySelectorAll('iframe, frame')) {
    if (frame.contentDocument) documents.push([frame.contentDocument, frame]);
  }
  const picked = [];
  for (const one of wanted) {
    for (const [doc, frame] of documents) {
      const path = /^(xpath=|\\/|\\(|\\.\\/)/.test(one);
      let found = path ? byPath(doc, one) : byCss(doc, one);
      if (!found.length) found = byLink(doc, one);
      if (!found.length) found = byText(doc, one);
      for (const element of found.slice(0, 10)) if (element) picked.push([element, frame]);
      if (found.length) break;
    }
  }
  const visible = (element) => {
    let box = element.getBoundingClientRect();
    while (element.parentElement && (box.width < 2 || box.height < 2)) {
      element = element.parentElement;
      box = element.getBoundingClientRect();
    }
    return element;
  };
  const shown = picked.slice(0, 20).map(([element, frame]) => [visible(element), frame]);
  if (shown.length) shown[0][0].scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'});
  const boxes = shown.map(([element, frame]) => {
    const box = element.getBoundingClientRect();
    const outer = frame ? frame.getBoundingClientRect() : {left: 0, top: 0};
    return [box.left + outer.left, box.top + outer.top, box.width, box.height];
  });
  const root = document.documentElement;
  return {boxes, scroll: [scrollX, scrollY], size: [root.scrollWidth, root.scrollHeight]};
})"""


def read() -> str:
    """Return the script that serialises the document and its same-origin frames, within bounds."""
    return _READ % (MAX_ELEMENTS, MAX_CHARACTERS, MAX_FRAMES)


def locate(wanted: Sequence[str]) -> str:
    """Return the script that finds elements by CSS or XPath, else by address or text, and shows the first."""
    return f"{_LOCATE}({json.dumps(list(wanted))})"
