"""What a page is: by address, tags, breadcrumb and shape."""

from datetime import UTC, datetime

import pytest

from govcrawl.extract.role import page_role
from govcrawl.items import Page, Role, Site

SITE = Site("hz", "杭州市人民政府", "portal", "city", "330100", "", "http://www.hangzhou.gov.cn/")
AT = datetime(2023, 9, 20, tzinfo=UTC)
LONG = (
    "<p>各区、县（市）人民政府，市政府各部门，各直属单位：为做好今年秋季防汛工作，现将有关事项通知如下，请遵照执行。</p>"
    * 8
)
NAV = "<div>首页 政务公开 政务服务 互动交流 数据开放</div>"
FOOT = "<div class='footer'>主办单位：杭州市人民政府办公厅 浙ICP备05000083号 网站标识码：3301000001</div>"
ROWS = "".join(
    f"<li><a href='/art/{n}'>关于公布第{n}批项目名单的通知</a><span>2023-09-{n:02}</span></li>"
    for n in range(5, 20)
)

FORM = (
    "<form>姓名：<input name=a> 联系电话：<input name=b> 邮箱：<input name=c> 标题：<input name=d>"
    " 内容：<textarea></textarea></form>"
)


def role(main, path="/page", *, title="杭州市人民政府", tags=None):
    metas = "".join(f"<meta name='{name}' content='{value}'>" for name, value in (tags or {}).items())
    html = f"<html><head><title>{title}</title>{metas}</head><body>{NAV}{main}{FOOT}</body></html>"
    return page_role(Page(SITE, "2023Q3", f"http://www.hangzhou.gov.cn{path}", AT, body=html.encode()))


def trail(*steps):
    return f"<div>当前位置：{' &gt; '.join(('首页', *steps))}</div>"


@pytest.mark.parametrize("path", ["/", "", "/index.html", "/index.htm", "/default.aspx"])
def test_the_sites_root_is_home(path):
    assert role(f"<h3>要闻动态</h3><ul>{ROWS}</ul>", path) == Role.HOME


def test_a_home_page_without_an_address_is_known_by_its_blocks():
    blocks = "".join(
        f"<h3>{name}</h3><a href='/c'>更多&gt;&gt;</a><ul>{ROWS}</ul>"
        for name in ("工作动态", "通知公告", "政务公开")
    )
    assert role(blocks, title="杭州市人民政府门户网站") == Role.HOME


@pytest.mark.parametrize(
    "path",
    [
        "/art/2023/9/18/art_1229_58942886.html",
        "/xwdt/gzdt/202306/t20230611_2214470.shtml",
        "/ysgz/content/post_9360641.html",
        "/info/1001/2345.htm",
        "/zwgk/202309/ab12cd34ab12cd34ab12cd34ab12cd34.html",
    ],
)
def test_article_addresses_of_the_platforms(path):
    assert role(trail("政务公开", "通知公告") + f"<h1>通知</h1>{LONG}", path) == Role.ARTICLE


@pytest.mark.parametrize(
    "path", ["/col/col1229000/index.html", "/zwgk/index_2.html", "/list/12.html", "/channel/12"]
)
def test_column_addresses_of_the_platforms(path):
    assert role(trail("政务公开", "通知公告") + f"<ul>{ROWS}</ul>", path) == Role.COLUMN


def test_dated_rows_make_a_column():
    assert role(trail("政务公开", "通知公告") + f"<ul>{ROWS}</ul>") == Role.COLUMN


def test_an_empty_column_is_a_column():
    assert role(trail("政务公开", "政策解读") + "<h2>政策解读</h2>", "/zwgk/zcjd/") == Role.COLUMN


def test_column_tags_make_a_column_and_article_tags_an_article():
    assert role("<div></div>", tags={"ColumnName": "通知公告"}) == Role.COLUMN
    assert role(LONG, tags={"ColumnName": "通知公告", "ArticleTitle": "关于防汛的通知"}) == Role.ARTICLE


@pytest.mark.parametrize(
    "line",
    [
        "发布时间：2023-09-18 来源：市应急局 浏览次数：12",
        "2023-09-18 09:52 来源：市应急局",
        "时间：2023-09-18 字号：大 中 小",
    ],
)
def test_an_article_by_the_line_under_its_title(line):
    assert role(trail("新闻", "要闻") + f"<h1>全市防汛会议召开</h1><p>{line}</p>{LONG}") == Role.ARTICLE


def test_a_guide_by_its_elements():
    names = ("事项名称", "设定依据", "申请条件", "申请材料", "办理流程", "办理地点", "收费标准")
    table = "".join(f"<tr><td>{name}</td><td>内容</td></tr>" for name in names)
    assert role(trail("办事服务", "户籍登记") + f"<table>{table}</table>") == Role.GUIDE


def test_a_list_of_guides_is_a_column():
    assert role(trail("办事服务", "办事指南") + f"<ul>{ROWS}</ul>", "/bszn/") == Role.COLUMN


@pytest.mark.parametrize(
    "main",
    [
        FORM,
        "<table><tr><th>信件标题</th><th>来信时间</th><th>答复单位</th><th>办理状态</th><th>受理日期</th></tr></table>",
    ],
)
def test_messages_by_their_form_or_table(main):
    assert role(trail("互动交流", "市长信箱") + main) == Role.MESSAGE


def test_leaders_by_name_and_duties():
    main = "<p>王某某 市委副书记、市长</p><p>个人简历</p><p>男，汉族</p><p>工作分工</p><p>主持工作。</p>"
    assert role(trail("政务公开", "领导信息") + main, "/ldxx/wang.html") == Role.LEADER


def test_news_about_leaders_is_no_leader_page():
    assert role(trail("政务公开", "领导活动") + f"<ul>{ROWS}</ul>", "/ldhd/") == Role.COLUMN


@pytest.mark.parametrize("path", ["/jsearchfront/search.do?q=x", "/search/index.html", "/so/s?keyword=x"])
def test_search_results(path):
    assert role("<div>共找到 12 条结果</div>", path, title="搜索结果") == Role.SEARCH


@pytest.mark.parametrize("name", ["网站地图", "联系我们", "关于本站", "机构职能"])
def test_pages_about_the_site_are_other(name):
    assert role(trail(name) + f"<h2>{name}</h2><p>杭州市解放东路18号</p>") == Role.OTHER
