"""Header, footer and page tags: what stands on every page of a site, in the forms met in practice."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from html import escape

from tests.province.model import AT, COLUMN_TAGS, CONTENT_TAGS, MARKS, SITE_TAGS, Site

FIND_ERROR_HOSTS = {
    "link": "http://zfwzgl.www.gov.cn/exposure/jiucuo.html",
    "image": "http://zfwzgl.www.gov.cn/exposure/jiucuo.html",
    "old": "http://121.43.68.40/exposure/jiucuo.html",
}
_WEEKDAYS = "一二三四五六日"


def site_title(site: Site) -> str:
    """Return the name as the header shows it."""
    if site.frame.alias:
        return site.frame.alias
    return site.plan.name + ("门户网站" if site.plan.kind == "portal" else "")


def tag_values(site: Site, column: tuple[str, str], article: tuple[str, str, str] | None) -> dict[str, str]:
    """Return the page tags a page ought to carry."""
    values = dict(
        zip(SITE_TAGS, (site_title(site), site.host, site.site_code), strict=True)
    )  # SiteDomain is the host as the guideline asks
    name, kind = column
    if name:
        texts = (name, kind, f"{name},{site.plan.area}", f"{site.plan.name}{name}栏目")
        values.update(zip(COLUMN_TAGS, texts, strict=True))
    if article:
        values.update(zip(CONTENT_TAGS, article, strict=True))
    return values


def tags(site: Site, values: dict[str, str], fault: str, group: tuple[str, ...]) -> str:
    """Write page tags in the site's style; `fault` says how `group` and the site tags fall short."""
    if not fault:
        return _metas(site, values)
    if fault == "all":
        return ""
    if fault == "comment":
        return f"<!-- {_metas(site, values)} -->"
    last = group[-1] if fault == "one" else ""
    kept = {name: value for name, value in values.items() if name != last}
    if fault == "empty":
        kept = {name: "" if name == group[0] else value for name, value in kept.items()}
    if fault == "site":
        kept = {name: value for name, value in kept.items() if name != "SiteIDCode"}
    return _metas(site, kept)


def _metas(site: Site, values: dict[str, str]) -> str:
    return "\n".join(_meta(site.frame.tag_style, name, escape(value)) for name, value in values.items())


def _meta(style: str, name: str, value: str) -> str:
    match style:
        case "lower":
            return f'<meta name="{name.lower()}" content="{value}" />'
        case "upper":
            return f'<META NAME="{name.upper()}" CONTENT="{value}">'
        case "content_first":
            return f'<meta content="{value}" name="{name}"/>'
        case "single":
            return f"<meta  name='{name}'  content='{value}'>"
        case "unquoted":
            return f'<meta name={name} content="{value}">'
    return f'<meta name="{name}" content="{value}">'


def header_name(site: Site) -> str:
    """Write the part of the header that carries the site's name, or what stands there instead."""
    name = site_title(site)
    match site.frame.header:
        case "logo":
            return f'<a href="{site.home}" class="logo"><img src="/images/logo.png" alt="{name}"></a>'
        case "title":
            return f'<a class="logo-bg" href="{site.home}" title="{name}"></a>'
        case "spaced":
            return f'<h1 class="site-name">{" ".join(name)}</h1>'
        case "script":
            return '<script type="text/javascript" src="/script/header.js"></script>'
        case "slogan":
            return '<div class="slogan">权威发布 &nbsp; 便民利企 &nbsp; 公开透明</div>'
        case "comment":
            return f'<!-- <h1 class="site-name">{name}</h1> --><div class="slogan">政务公开</div>'
    return f'<h1 class="site-name"><a href="{site.home}">{name}</a></h1>'


def header_script(site: Site) -> str:
    """Write the script that puts the name into the header."""
    return f"document.write('<h1 class=\"site-name\">{site_title(site)}</h1>');\n"


def today_line(site: Site) -> str:
    """Write today's date for the header of sites that show it."""
    if not site.frame.today:
        return ""
    return f"<span class=today>今天是：{AT.year}年{AT.month}月{AT.day}日 星期{_WEEKDAYS[AT.weekday()]}</span>"


def footer(site: Site, home: bool) -> str:
    """Write the footer of the home page or of another page, as text or by way of a script, frame or string."""
    inner = footer_inner(site, home)
    mark = "home" if home else "page"
    match site.frame.footer:
        case "script":
            return f'<script language="javascript" src="/script/footer_{mark}.js"></script>'
        case "iframe":
            return f'<iframe src="/include/footer_{mark}.html" width="100%" height="180" frameborder="0"></iframe>'
        case "inline":
            text = inner.replace("'", '"').replace("\n", "").replace("</script>", "<\\/script>")
            return f"<script>var pageBottom = '{text}';\ndocument.write(pageBottom);</script>"
    return inner


def footer_script(site: Site, home: bool) -> str:
    """Write the included script that writes the footer line by line."""
    lines = footer_inner(site, home).splitlines()
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"').replace("</", "<\\/") for line in lines if line)
    return "".join(f'document.writeln("{line}");\n' for line in quoted)


def footer_inner(site: Site, home: bool) -> str:
    """Write the six marks and the 找错 entry, leaving out or commenting out what is planted as missing."""
    rng = site.rng("footer")
    parts = [_mark(site, mark, rng.randrange(5)) for mark in MARKS]
    rng.shuffle(parts)
    entry = _find_error(site)
    missing = site.frame.entry_missing
    if missing == "all" or (missing == "home" and home) or (missing == "others" and not home):
        entry = f"<!-- {entry} -->" if site.frame.entry_comment else ""
    links = f'<p><a href="{site.home}">网站首页</a> | <a href="/sitemap.html">网站地图</a></p>'
    return "\n".join([links, *(f"<p>{part}</p>" for part in parts if part), entry])


def _mark(site: Site, mark: str, form: int) -> str:
    fault = site.frame.mark_faults.get(mark, "")
    if fault == "absent":
        return _instead(site, mark)
    text = _mark_text(site, mark, form)
    return f"<!-- {text} -->" if fault == "comment" else text


def _instead(site: Site, mark: str) -> str:
    """Write what looks like the missing mark and is not."""
    return {
        "主办单位": "承办单位：云江清源信息技术中心",
        "ICP备案编号": "建议使用1366×768以上分辨率浏览",
        "联系方式": "政府网站年度报表",
    }.get(mark, "")


def _mark_text(site: Site, mark: str, form: int) -> str:
    image = site.frame.footer == "image"
    plan = site.plan
    match mark:
        case "党政机关网站标识":
            link = "http://bszs.conac.cn/sitename?method=show&amp;id=0A1B2C3D4E5F60718293A4B5C6D7E8F9"
            if image:
                return '<img src="/images/dzjg.png" alt="党政机关">'
            if form == 1:
                return '<script src="http://dcs.conac.cn/js/33/000/0000/60000000/CA330000000600000000.js"></script>'
            return f'<a href="{link}" target="_blank"><img src="/images/conac_red.png" border="0"></a>'
        case "网站标识码":
            gap = ("：", ": ", " ", "", "：")[form]
            return f"{('网站标识码', '政府网站标识码')[form % 2]}{gap}{site.site_code}"
        case "ICP备案编号":
            gap = " " if form == 2 else ""
            return f'<a href="http://beian.miit.gov.cn/" target="_blank">云ICP备{gap}{site.icp}号{"-1" * (form % 2)}</a>'
        case "公安机关备案标识":
            link = f"http://www.beian.gov.cn/portal/registerSystemInfo?recordcode={site.police}"
            if image:
                return f'<a href="{link}"><img src="/images/gaba.png" alt="云公网安备 {site.police}号"></a>'
            gap = " " if form % 2 else ""
            return f'<img src="/images/ga.png"><a href="{link}">云公网安备{gap}{site.police}号</a>'
        case "主办单位":
            name = plan.organizer or plan.name
            return (
                f"主办单位：{name}", f"主办：{name}", f"{name}主办", f"{name}（主办）", f"版权所有/主办单位：{name}",
            )[form]  # fmt: skip
    forms = (
        f"联系电话：{site.phone}", f"电话：{site.phone}（工作日）", f"联系方式：{site.phone}",
        f"联系我们：{site.phone} 电子邮箱：bgs@{site.host}", f"地址：{plan.area}人民路{form + 3}号 电话：{site.phone}",
    )  # fmt: skip
    return forms[form]


def _find_error(site: Site) -> str:
    frame = site.frame
    code = "" if "网站标识码" in frame.mark_faults else site.site_code
    if frame.find_error == "script":
        given = f' sitecode="{code}"' if code else ""
        return (
            f'<span id="_span_jiucuo"><script id="_jiucuo_"{given} '
            'src="http://zfwzgl.www.gov.cn/exposure/jiucuo.js"></script></span>'
        )
    address = FIND_ERROR_HOSTS[frame.find_error]
    query = f"?site_code={code}&amp;url={site.host}" if code else f"?url={site.host}"
    label = (
        "我为政府网站找错"
        if frame.find_error == "link"
        else '<img src="/images/jiucuo.png" alt="政府网站找错">'
    )
    return f'<a href="{address}{query}" target="_blank">{label}</a>'
