"""Surveys: when they ran, whether one takes part online, when results came."""

from __future__ import annotations

import time
from datetime import date

import pytest

from govcrawl.extract.surveys import is_result, read_survey, same_activity
from govcrawl.items import Role
from govcrawl.registry import page


def survey(markup):
    return read_survey(
        page(
            f"<title>公交线路调整意见征集</title><h1>公交线路调整意见征集</h1>{markup}",
            url="/s/1.html",
            role=Role.ARTICLE,
        )
    )


@pytest.mark.parametrize(
    "text",
    [
        "活动时间：2023-05-01至2023-05-21",
        "征集时间：2023年5月1日至2023年5月21日",
        "起止时间：2023.05.01—2023.05.21",
        "征求意见时间：2023年5月1日至5月21日",
    ],
)
def test_the_span_of_an_activity(text):
    read = survey(f"<p>{text}</p>")
    assert (read.opened, read.closes) == (date(2023, 5, 1), date(2023, 5, 21))
    assert read.over(date(2023, 9, 20))


def test_the_day_of_publication_is_no_span():
    assert survey("<p>发布时间：2023-05-01 09:00</p><p>活动时间：2023-05-02至2023-05-21</p>").closes == date(
        2023, 5, 21
    )
    assert survey("<p>发布时间：2023-05-01 09:00</p>").closes is None


@pytest.mark.parametrize(
    "text", ["截止时间：2023-05-21", "意见请于2023年5月21日前反馈", "截止日期为2023年5月21日"]
)
def test_the_closing_day_alone(text):
    assert survey(f"<p>{text}</p>").closes == date(2023, 5, 21)


def test_results_and_their_day():
    read = survey(
        "<p>活动时间：2023-05-01至2023-05-21</p><h4>结果反馈</h4><p>反馈时间：2023-06-01</p><p>共收到意见12条。</p>"
    )
    assert (read.results, read.result_day) == (True, date(2023, 6, 1))


@pytest.mark.parametrize("text", ["请将意见反馈至我局。", "结果反馈：暂无结果", ""])
def test_no_results(text):
    assert not survey(f"<p>活动时间：2023-05-01至2023-05-21</p><p>{text}</p>").results


@pytest.mark.parametrize(
    ("markup", "online"),
    [
        ("<form><input type=radio name=a>同意<textarea name=b></textarea></form>", True),
        ("<p>请点击参与问卷</p>", True),
        ("<p>意见请发送至电子邮箱 a@example.gov.cn</p>", False),
        ("<p>欢迎提出意见。</p>", None),
    ],
)
def test_the_way_to_take_part(markup, online):
    assert survey(markup).online is online


def test_a_result_in_an_entry_of_its_own():
    assert is_result("关于公交线路调整意见征集结果的公示")
    assert not is_result("公交线路调整意见征集")
    assert same_activity("关于公交线路调整意见征集结果的公示", "公交线路调整意见征集")
    assert not same_activity("关于公园建设征集结果的公示", "公交线路调整意见征集")


def test_hostile_text_costs_linear_time():
    text = "<p>" + "时间：至" * 20_000 + "</p><p>" + "结果征集调查" * 20_000 + "于于于" * 20_000 + "</p>"
    started = time.process_time()
    survey(text)
    assert time.process_time() - started < 4
