"""Service guides: elements by table, heading, definition list and bold label; wording; forms; bases."""

# ruff: noqa: E501  (markup in long lines)
from __future__ import annotations

import time

import pytest

from govcrawl.extract.guides import ELEMENTS, read_guide
from govcrawl.items import Role
from govcrawl.registry import page

VALUES = {
    "事项名称": "食品经营许可",
    "设定依据": "《食品安全法》第三十五条",
    "申请条件": "有固定场所",
    "办理材料": "1.申请书（原件1份）；2.身份证（复印件1份）",
    "办理地点": "政务服务中心二楼",
    "办理机构": "示例市市场监管局",
    "收费标准": "不收费",
    "办理时间": "周一至周五 9:00-17:00",
    "联系电话": "0571-12345678",
    "办理流程": "申请→受理→决定",
}


def table(rows):
    return "<table>" + "".join(f"<tr><th>{n}</th><td>{v}</td></tr>" for n, v in rows) + "</table>"


def headings(rows):
    return "".join(f"<h4>{n}</h4><div>{v}</div>" for n, v in rows)


def definitions(rows):
    return "<dl>" + "".join(f"<dt>{n}：</dt><dd>{v}</dd>" for n, v in rows) + "</dl>"


def bold(rows):
    return "".join(f"<p><strong>（{i}）{n}：</strong>{v}</p>" for i, (n, v) in enumerate(rows, 1))


def numbered(rows):
    signs = "一二三四五六七八九十"
    return "".join(f"<p><b>{signs[i]}、{n}</b></p><p>{v}</p>" for i, (n, v) in enumerate(rows))


def pairs(rows):
    rows = list(rows)
    lines = zip(rows[::2], rows[1::2], strict=True)
    return (
        "<table>"
        + "".join(f"<tr><td>{a}</td><td>{b}</td><td>{c}</td><td>{d}</td></tr>" for (a, b), (c, d) in lines)
        + "</table>"
    )


def guide(markup, title="食品经营许可"):
    html = f"<title>{title}</title><div class=nav><a href=/>首页</a><a href=/l/>联系方式</a></div><h1>{title}</h1>{markup}"
    return read_guide(page(html, url="/g/1.html", role=Role.GUIDE))


@pytest.mark.parametrize("layout", [table, headings, definitions, bold, numbered, pairs])
def test_a_complete_guide_lacks_nothing(layout):
    assert guide(layout(VALUES.items())).missing == ()


@pytest.mark.parametrize("layout", [table, headings, definitions, bold, numbered])
@pytest.mark.parametrize("name", ELEMENTS[1:])
def test_what_is_left_out_is_missing(layout, name):
    rows = [(key, value) for key, value in VALUES.items() if key != name]
    assert guide(layout(rows)).missing == (name,)


def test_synonyms_and_spaced_labels():
    rows = {"法律依据": "x", "受理条件": "x", "申 请 材 料": "x", "受理地点": "x", "实施机关": "x", "收费依据及标准": "x", "法定时限": "x",
            "咨询方式": "x", "办理程序": "x"}  # fmt: skip
    assert guide(table(rows.items())).missing == ()


def test_joint_labels_count_for_each():
    rows = {**VALUES, "办理地点及电话": "二楼，0571-1", "收费标准": "无"}
    del rows["办理地点"], rows["联系电话"]
    assert guide(table(rows.items())).missing == ()


def test_an_empty_value_is_missing_unless_a_picture_may_fill_it():
    rows = {**VALUES, "办理流程": "", "收费标准": " "}
    assert guide(table(rows.items())).missing == ("收费标准", "办理流程")
    rows["办理流程"] = "<img src=/lct.png>"
    read = guide(table(rows.items()))
    assert "办理流程" in read.unclear
    assert "办理流程" not in read.missing


FOOT = "<div class=footer><p>网站首页 | 网站地图</p><p>浙ICP备12345678号</p><p>网站标识码：3399000001</p><p>主办单位：示例市人民政府</p><p>联系电话：0571-87654321</p></div>"


def test_the_footer_fills_no_gap():
    rows = [(key, value) for key, value in VALUES.items() if key != "联系电话"]
    assert guide(headings(rows) + FOOT).missing == ("联系电话",)


@pytest.mark.parametrize("name", ["footer", "bottom", "copyright"])
@pytest.mark.parametrize("layout", [definitions, table])
def test_a_footer_marked_as_one_fills_no_gap_right_below(layout, name):
    rows = [(key, value) for key, value in VALUES.items() if key not in ("联系电话", "办理机构")]
    foot = (
        f"<div class={name}><p>电话：0571-87654321（工作日）</p><p>承办单位：示例市大数据中心</p>"
        "<p>浙ICP备12345678号</p></div>"
    )
    assert set(guide(layout(rows) + foot).missing) == {"联系电话", "办理机构"}


@pytest.mark.parametrize("layout", [table, headings, definitions])
def test_contacts_at_the_end_of_a_guide_are_its_own(layout):
    rows = [
        *((key, value) for key, value in VALUES.items() if key not in ("联系电话", "办理地点")),
        ("咨询电话", "0571-1"),
        ("办公地址", "二楼"),
    ]
    assert guide(layout(rows) + FOOT).missing == ()


def test_panels_behind_tabs_are_read():
    rows = list(VALUES.items())
    markup = table(rows[:5]) + f'<div style="display:none">{headings(rows[5:])}</div>'
    assert guide(markup).missing == ()


def test_a_horizontal_table_is_read_by_its_heads():
    markup = "<table><tr><th>设定依据</th><th>收费标准</th><th>联系电话</th></tr><tr><td>《法》第一条</td><td>免费</td><td>12345</td></tr></table>"
    assert not {"设定依据", "收费标准", "联系电话"} & set(guide(markup).missing)
    assert "申请条件" in guide(markup).missing


@pytest.mark.parametrize(
    "words",
    [
        "3.法律、法规规定的其他材料。",
        "3.法律法规规定的应提交的其他材料",
        "身份证等相关材料",
        "其他材料",
        "3、其他有关证明材料",
        "需要提供的其他材料",
        "必要时提供收入证明",
    ],
)
def test_vague_wording_is_seen(words):
    assert guide(table({**VALUES, "办理材料": f"1.申请书（原件1份）；{words}"}.items())).vague


@pytest.mark.parametrize(
    "words",
    ["无需提交其他材料。", "不得要求申请人提供其他材料", "不再要求提供其他有关证明材料", "身份证、户口簿"],
)
def test_denied_wording_is_not_vague(words):
    assert guide(table({**VALUES, "办理材料": f"1.申请书（原件1份）；{words}"}.items())).vague == ()


def test_the_text_of_a_law_is_not_the_guides_wording():
    basis = "《条例》第八条：（五）法律、法规规定的其他材料。"
    assert guide(table({**VALUES, "设定依据": basis}.items())).vague == ()


def test_forms_and_their_links():
    with_form = {**VALUES, "办理材料": "1.经营许可申请表（原件1份） <a href=/f/a.doc>空表下载</a>"}
    read = guide(table(with_form.items()))
    assert read.form == "经营许可申请表"
    assert read.form_links == ("http://www.example.gov.cn/f/a.doc",)
    bare = guide(table({**VALUES, "办理材料": "1.经营许可申请表（原件1份）"}.items()))
    assert bare.form
    assert bare.form_links == ()
    assert guide(table(VALUES.items())).form == ""
    assert guide(table({**VALUES, "办理材料": "申请表，可到窗口现场领取"}.items())).form_elsewhere


def test_materials_say_original_or_copy():
    assert guide(table({**VALUES, "办理材料": "身份证、户口簿"}.items())).materials_unclear
    assert not guide(table(VALUES.items())).materials_unclear


def test_a_basis_needs_a_link_or_a_clause():
    assert guide(table({**VALUES, "设定依据": "《食品安全法》"}.items())).basis_unclear == "《食品安全法》"
    assert guide(table(VALUES.items())).basis_unclear == ""
    linked = guide(table({**VALUES, "设定依据": "<a href=/p/1.html>《食品安全法》</a>"}.items()))
    assert linked.basis_links == ("http://www.example.gov.cn/p/1.html",)
    assert linked.basis_unlinked == ()


def test_an_ordinary_article_is_no_readable_guide():
    text = "<p>" + "市政府召开会议，研究部署下一阶段重点工作，要求各部门认真落实。" * 9 + "</p>"
    assert not guide(text, title="市政府召开常务会议").readable


def test_hostile_text_costs_linear_time():
    text = "法律法规" * 20_000 + "其他" * 20_000 + "《" * 20_000 + "表" * 9
    started = time.process_time()
    guide(table({**VALUES, "办理材料": text, "设定依据": text}.items()))
    assert time.process_time() - started < 2
