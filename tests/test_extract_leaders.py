"""Leaders: names in all the ways they are written, links to their pages, and what is said of them."""

from __future__ import annotations

import time

import pytest

from govcrawl.extract.leaders import leader_links, person_name, read_leaders
from govcrawl.registry import page

LIFE = "男，汉族，1970年3月出生，大学学历，1992年7月参加工作，历任科员、科长、局长等职。"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("张三", "张三"),
        ("张 三", "张三"),
        ("李　明　华", "李明华"),
        ("副市长 王建国", "王建国"),
        ("王建国 党组书记、局长", "王建国"),
        ("局长：赵敏", "赵敏"),
        ("市委副书记、市长陈一新", "陈一新"),
        ("姓名：周国辉", "周国辉"),
        ("黄志平（女）", "黄志平"),
        ("徐文光同志简历", "徐文光"),
        ("欧阳修文", "欧阳修文"),
        ("阿布都热合曼·买买提", "阿布都热合曼·买买提"),
    ],
)
def test_name_is_read(text: str, name: str) -> None:
    assert person_name(text) == name


@pytest.mark.parametrize(
    "text",
    ["", "局长", "工作分工", "文件", "安全生产", "方案公示", "党组书记、局长", "文号", "余杭区", "王" * 50],
)
def test_other_words_are_no_names(text: str) -> None:
    assert person_name(text) == ""


def test_links_to_leaders_leave_menus_and_news_aside() -> None:
    subject = page(
        '<a href="/dt/">工作动态</a><a href="/jr/">金融</a><a href="/ld/1.html">张三</a>'
        '<a href="/ld/2.html">副局长 李明华</a><a href="/a/9.html">市长张三调研安全生产工作并召开座谈会</a>'
        '<a href="http://www.other.gov.cn/3.html">王建国</a>',
        url="/ld/",
    )
    links = leader_links(subject, {"http://www.example.gov.cn/jr/"})
    assert [name for name, _ in links] == ["张三", "李明华"]


def test_whole_leader_lacks_nothing() -> None:
    (leader,) = read_leaders(
        page(f"<h3>张三</h3><p>职务：局长</p><p>简历：{LIFE}</p><p>工作分工：主持全面工作。</p>")
    )
    assert (leader.name, leader.missing) == ("张三", ())


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (f"<p>职务：局长</p><p>{LIFE}</p>", ("分工",)),
        ("<p>职务：局长</p><p>分管工作：办公室、人事处、宣传教育处。</p>", ("简历",)),
        (f"<p>{LIFE}</p><p>负责办公室、人事等方面工作，联系基层。</p>", ("职务",)),
    ],
)
def test_missing_part_is_told(lines: str, missing: tuple[str, ...]) -> None:
    (leader,) = read_leaders(page(f"<h3>张三</h3>{lines}"))
    assert leader.missing == missing


def test_several_leaders_on_one_page_are_told_apart() -> None:
    one = f"<h4>张三</h4><p>党组书记、局长</p><p>{LIFE}</p><p>主持全面工作。</p>"
    two = "<h4>副局长 李明华</h4><p>分管办公室、人事处、宣传教育处工作。</p>"
    found = read_leaders(page(f"{one}{two}"))
    assert [(leader.name, leader.missing) for leader in found] == [("张三", ()), ("李明华", ("简历",))]


def test_table_of_leaders_is_read_by_rows() -> None:
    rows = "".join(
        f"<tr><td>{name}</td><td>副局长</td><td>{LIFE}</td><td>分管{work}等工作</td></tr>"
        for name, work in (("张三", "人事"), ("李明华", "财务"))
    )
    found = read_leaders(
        page(f"<table><tr><th>姓名</th><th>职务</th><th>简历</th><th>分工</th></tr>{rows}</table>")
    )
    assert [(leader.name, leader.missing) for leader in found] == [("张三", ()), ("李明华", ())]


def test_menu_of_names_beside_the_leader_is_no_leader() -> None:
    side = "<ul><li>张三</li><li>李明华</li><li>王建国</li></ul>"
    main = f"<h3>张三</h3><p>职务：局长</p><p>简历：{LIFE}</p><p>工作分工：主持全面工作。</p>"
    assert [leader.name for leader in read_leaders(page(side + main))] == ["张三"]


@pytest.mark.parametrize(
    "html", ["", "<p>张三</p><p>李明华</p>", "<p>栏目建设中</p>", "<p>办公地址：示例路1号，电话12345678</p>"]
)
def test_page_without_a_word_about_anybody_presents_nobody(html: str) -> None:
    assert read_leaders(page(html)) == ()


@pytest.mark.parametrize("text", ["市长" * 50_000, "张三 " * 50_000, "负责" * 80_000, "职责：\n" * 40_000])
def test_hostile_text_takes_linear_time(text: str) -> None:
    subject = page(f"<p>{text}</p>")
    begin = time.process_time()
    read_leaders(subject)
    assert time.process_time() - begin < 2
