"""Candidates of harmful content: what is found, what is masked, what must be left alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from govcrawl.extract.safety import (
    Hit,
    LexiconError,
    empty_links,
    harmful_links,
    is_card,
    is_identity,
    load_domains,
    load_lexicon,
    personal_data,
    secret_marks,
    tampering,
)
from govcrawl.items import Page
from govcrawl.registry import page

IDENTITY = "330102199003070011"


def with_checksum(first17: str) -> str:
    return next(first17 + last for last in "0123456789X" if is_identity(first17 + last))


def card(first: str) -> str:
    return next(first + last for last in "0123456789" if is_card(first + last))


def kinds(hits: tuple[Hit, ...]) -> list[str]:
    return [hit.kind for hit in hits]


def test_identity_number_with_valid_checksum_is_found_and_masked() -> None:
    number = with_checksum("33010219900307001")
    (hit,) = personal_data(page(f"<p>张某，身份证号：{number}住址略。</p>"))
    assert hit.kind == "身份证号"
    assert hit.shown == f"3301{'*' * 12}{number[-2:]}"
    assert number not in f"{hit}"


@pytest.mark.parametrize(
    "text",
    [
        "项目代码：330102199003070010",  # the checksum does not hold
        "统一社会信用代码：913301001234567890",
        "编号 990102199003070011",  # no such province
        f"订单{IDENTITY}889900112233",  # part of a longer number
        "https://www.example.gov.cn/330102199003070011.html",
    ],
)
def test_other_long_numbers_are_no_identity_numbers(text: str) -> None:
    assert personal_data(page(f"<p>{text}</p>")) == ()


def test_bank_card_needs_issuer_and_luhn() -> None:
    number = card("622202120200123456")
    assert kinds(personal_data(page(f"<p>{number}</p>"))) == ["银行卡号"]
    assert personal_data(page(f"<p>{number[:-1]}{(int(number[-1]) + 1) % 10}</p>")) == ()


def test_bank_card_in_groups_of_four_is_found() -> None:
    number = card("622202120200123")
    grouped = " ".join(number[place : place + 4] for place in range(0, 16, 4))
    assert kinds(personal_data(page(f"<p>卡号 {grouped} 。</p>"))) == ["银行卡号"]


def test_foreign_card_counts_only_beside_the_word() -> None:
    number = card("456351010012345")
    assert personal_data(page(f"<p>流水 {number}</p>")) == ()
    assert kinds(personal_data(page(f"<p>银行卡号：{number}</p>"))) == ["银行卡号"]


def test_mobile_numbers_count_only_in_a_list_of_people() -> None:
    rows = "".join(f"<tr><td>李{n}</td><td>1380013800{n}</td></tr>" for n in range(6))
    (hit,) = personal_data(page(f"<table><tr><th>姓名</th><th>电话</th></tr>{rows}</table>"))
    assert hit.kind == "名单中的手机号码（6个）"
    assert hit.shown == "138******00"
    assert personal_data(page("<p>姓名 联系人：王先生 13800138000，13900139000</p>")) == ()


@pytest.mark.parametrize(
    "text", ["机密★5年", "密级：秘密", "内部资料，注意保存", "（此件不公开）", "示政密发〔2023〕12号"]
)
def test_mark_of_a_secret_is_found(text: str) -> None:
    assert kinds(secret_marks(page(f"<p>{text}</p>"))) == ["涉密标志"]


@pytest.mark.parametrize(
    "text", ["做好保密工作", "（此件公开发布）", "商业秘密保护条例", "密切配合〔2023〕1号"]
)
def test_talk_of_secrecy_is_no_mark(text: str) -> None:
    assert secret_marks(page(f"<p>{text}</p>")) == ()


def test_link_to_a_listed_domain_is_found() -> None:
    subject = page('<a href="http://www.parked.example/x">旧链接</a><a href="http://a.com/">友情</a>')
    (hit,) = harmful_links(subject, frozenset({"parked.example"}))
    assert (hit.kind, hit.shown) == ("列入名单的域名", "www.parked.example")


def test_shipped_list_has_domains_only() -> None:
    assert load_domains()
    assert all("." in name and " " not in name for name in load_domains())


def test_planted_link_is_found_by_its_words() -> None:
    subject = page('<div style="display:none"><a href="http://x7.example.com/">澳门金沙娱乐城</a></div>')
    assert kinds(harmful_links(subject, load_domains())) == ["疑似有害链接"]


@pytest.mark.parametrize(
    "style", ["position:absolute;left:-9999px", "height:0;overflow:hidden", "text-indent: -9999px"]
)
def test_link_nobody_can_see_is_found(style: str) -> None:
    subject = page(f'<div style="{style}"><a href="http://x7.example.com/">网络公司</a></div>')
    assert kinds(harmful_links(subject, load_domains())) == ["隐藏的外链（暗链）"]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="/a/1.html">警方捣毁网络赌博平台百家乐窝点</a>',  # its own report
        '<a href="http://www.gov.cn/b.html">严打六合彩</a>',
        '<div style="display:none"><a href="http://x7.example.com/">友情链接</a></div>',  # a folded menu
        '<div style="left:-9999px"><a href="/c/">跳到正文</a></div>',  # for screen readers
        '<div style="font-size:0"><a href="http://x7.example.com/">协会</a></div>',  # a layout
    ],
)
def test_usual_links_are_left_alone(html: str) -> None:
    assert harmful_links(page(html), load_domains()) == ()


def test_head_rewritten_for_search_engines_is_tampering() -> None:
    subject = page('<title>百家乐_时时彩_示例市人民政府</title><meta name=keywords content="葡京">')
    assert kinds(tampering(subject)) == ["标题或关键词疑被篡改"]
    assert tampering(page("<title>市公安局打击网络赌场专项行动</title>")) == ()


def test_jump_for_visitors_of_search_engines_is_tampering() -> None:
    script = "var r=document.referrer;if(r.indexOf('baidu')>0){location.href='http://x/'}"
    assert kinds(tampering(page(f"<script>{script}</script>"))) == ["脚本按搜索来源跳转"]
    assert tampering(page("<script>stat(document.referrer, location.href)</script>")) == ()


def test_empty_link_needs_a_text_and_no_address() -> None:
    subject = page(
        '<a href="">领导信息</a><a href="#">返回顶部</a><a href="">»</a><a href="http://">部门</a>'
    )
    assert list(empty_links(subject)) == ["领导信息", "部门"]


def test_lexicon_finds_each_wrong_expression_once() -> None:
    (hit,) = load_lexicon().find("工作布署：布署下阶段任务")
    assert (hit.shown, hit.kind) == ("布署", "部署")
    assert "工作布署：" in hit.context
    assert load_lexicon().find("工作部署") == ()


def test_office_supplies_its_own_lexicon(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("# 本办\n示列市 => 示例市\n", "utf-8")
    assert [hit.kind for hit in load_lexicon(str(own)).find("示列市人民政府")] == ["示例市"]


@pytest.mark.parametrize("line", ["只有一半", "同 => 同", "甲 => 乙"])
def test_faulty_line_of_a_lexicon_is_named(tmp_path: Path, line: str) -> None:
    own = tmp_path / "own.txt"
    own.write_text(f"# 说明\n{line}\n", "utf-8")
    with pytest.raises(LexiconError, match="line 2"):
        load_lexicon(str(own))


def test_lexicon_in_another_encoding_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_bytes("布署 => 部署".encode("gb18030"))
    with pytest.raises(LexiconError, match="UTF-8"):
        load_lexicon(str(own))


@pytest.mark.parametrize(
    "text",
    [
        "1" * 200_000,
        "62" * 100_000,
        "机密" * 60_000,
        "13800138000 " * 9_000,
        "密" * 100_000,
        "2023年密〔" * 20_000,
    ],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    subject: Page = page(f"<title>{text[:50_000]}</title><p>{text}</p>")
    begin = time.process_time()
    personal_data(subject)
    secret_marks(subject)
    tampering(subject)
    load_lexicon().find(text)
    assert time.process_time() - begin < 2
