"""Policy files and interpretations: names in titles, kinds of titles, links and their labels."""

from __future__ import annotations

import time

import pytest

from govcrawl.extract.policies import (
    Reference,
    core_names,
    is_interpretation,
    is_policy,
    names_document,
    quoted_names,
    read_references,
)
from govcrawl.items import Role
from govcrawl.registry import page

FILE = "http://www.example.gov.cn/wj/1.html"
TEXT = (
    "<p>为贯彻国家有关部署，推动养老服务工作高质量发展，结合本市实际，现将有关事项说明如下，请认真落实。</p>"
    * 3
)


def references(below: str, above: str = "") -> tuple[Reference, ...]:
    html = f"{above}<h1>《示例市养老服务办法》政策解读</h1>{TEXT}{below}"
    return read_references(page(html, url="/jd/1.html", role=Role.ARTICLE))


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("《养老服务办法》政策解读", ("养老服务办法",)),
        ("关于《甲办法》《乙细则》的说明", ("甲办法", "乙细则")),
        ("《关于印发〈养老服务办法〉的通知》解读", ("养老服务办法",)),
        ("一图读懂养老新政", ()),
        ("《" * 40, ()),
    ],
)
def test_quoted_names(title: str, names: tuple[str, ...]) -> None:
    assert quoted_names(title) == names


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("关于印发《养老服务办法》的通知", ("养老服务办法",)),
        ("示例市人民政府关于加强防汛工作的通知", ("加强防汛工作",)),
        ("示例市城市更新行动方案", ("示例市城市更新行动方案",)),
    ],
)
def test_core_names(title: str, names: tuple[str, ...]) -> None:
    assert core_names(title) == names


@pytest.mark.parametrize(
    "title", ["《养老服务办法》解读", "图解：养老新政", "市民政局负责人答记者问", "一图看懂防汛预案"]
)
def test_interpretation_is_told_by_its_title(title: str) -> None:
    assert is_interpretation(title)
    assert not is_policy(title)


@pytest.mark.parametrize(
    "title",
    [
        "关于印发《养老服务办法》的通知",
        "示例市绿化条例",
        "养老服务办法（试行）",
        "《养老服务办法》",
        "示政发〔2023〕12号 养老",
    ],
)
def test_policy_file_is_told_by_its_title(title: str) -> None:
    assert is_policy(title)


@pytest.mark.parametrize("title", ["市政府召开常务会议", "通知", "张三调研养老服务工作", ""])
def test_news_is_no_policy_file(title: str) -> None:
    assert not is_policy(title)


def test_name_matches_whatever_marks_stand_in_it() -> None:
    assert names_document("示例市“十四五”规划", "《示例市十四五规划》的通知")
    assert names_document("关于印发养老服务办法的通知（全文）", "关于印发养老服务办法的通知")
    assert not names_document("办法", "养老服务办法")
    assert not names_document("养老服务办法", "绿化条例实施细则")


def test_labelled_link_is_a_reference_with_its_label() -> None:
    (found,) = references('<p>相关文件：<a href="/wj/1.html">养老办法</a></p>')
    assert found == Reference(FILE, "养老办法", "相关文件")


def test_label_above_a_list_holds_for_the_whole_list() -> None:
    found = references(
        '<h3>相关解读</h3><ul><li><a href="/jd/2.html">图解一</a></li>'
        '<li><a href="/jd/3.html">图解二</a></li></ul>'
    )
    assert [one.label for one in found] == ["相关解读", "相关解读"]


def test_label_ends_with_its_block() -> None:
    found = references(
        '<p>相关文件：<a href="/wj/1.html">养老办法</a></p><p>责任编辑：某人</p>'
        '<p><a href="/a/2.html">其他报道的标题</a></p>'
    )
    assert [one.label for one in found] == ["相关文件", ""]


def test_menu_neighbours_and_footer_are_no_references() -> None:
    found = references(
        '<p>上一篇：<a href="/jd/2.html">《绿化条例》政策解读</a></p><p>'
        '<a href="/jd/3.html">下一条：《节水条例》政策解读</a></p>'
        '<div class="footer"><p>主办单位：示例市人民政府 浙ICP备12345678号 网站标识码3399000001</p>'
        '<a href="/about.html">关于本站的说明和使用办法</a></div>',
        above='<ul class="nav"><li><a href="/wj/">政策文件和规范性文件</a></li></ul>',
    )
    assert found == ()


def test_label_without_a_link_is_remembered() -> None:
    assert references("<h4>政策原文</h4><div id=files></div>") == (Reference("", "", "政策原文"),)


def test_reference_that_a_footer_seems_to_hold_counts() -> None:
    (found,) = references(
        '<p>相关文件：<a href="/wj/1.html">关于印发养老办法的通知</a></p><p>主办单位：示例市人民政府</p>'
        "<p>联系电话：12345678</p><p>浙ICP备12345678号 网站标识码3399000001</p>"
    )
    assert found.url == FILE


@pytest.mark.parametrize("text", ["《" * 60_000, "关于" * 60_000, "相关文件：" * 30_000, "解读\n" * 40_000])
def test_hostile_text_takes_linear_time(text: str) -> None:
    subject = page(f"<h1>{text[:3000]}</h1><p>{text}</p><a href=/x.html>{text[:5000]}</a>", url="/jd/1.html")
    begin = time.process_time()
    read_references(subject)
    assert time.process_time() - begin < 2
