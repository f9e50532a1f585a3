"""The roster: what is read, what is refused and how it is said."""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from govcrawl.items import GovcrawlError, Site
from govcrawl.sites import COLUMNS, RosterError, import_roster, load_sites, write_sites
from govcrawl.sites.hosts import load_hosts

GOOD = {
    "site_id": "hangzhou",
    "name": "杭州市人民政府",
    "kind": "portal",
    "level": "city",
    "code": "330100",
    "parent": "浙江省",
    "url": "https://www.hangzhou.gov.cn/",
    "organizer": "",
    "has_services": "true",
    "platform": "",
}
OTHER = GOOD | {"site_id": "ningbo", "name": "宁波市人民政府", "url": "https://www.ningbo.gov.cn/"}


def csv_file(folder: Path, *rows: dict[str, str], encoding: str = "utf-8") -> Path:
    path = folder / "roster.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def text_file(folder: Path, text: str) -> Path:
    path = folder / "roster.csv"
    path.write_bytes(text.encode())
    return path


def workbook(folder: Path, *rows: list[object], merge: str = "") -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    if merge:
        sheet.merge_cells(merge)
    path = folder / "roster.xlsx"
    book.save(path)
    return path


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(RosterError) as caught:
        load_sites(path)
    return caught.value.problems


def test_shipped_roster_holds_the_known_sites() -> None:
    sites = load_sites()
    assert Counter(site.kind for site in sites) == {"portal": 102, "department": 142}
    assert [site.kind for site in sites] == ["portal"] * 102 + ["department"] * 142
    assert sites[0] == Site(
        "zj", "浙江省人民政府", "portal", "province", "330000", "", "https://www.zj.gov.cn/"
    )


def test_fields_of_a_row(tmp_path: Path) -> None:
    row = GOOD | {
        "has_services": "否",
        "organizer": "杭州市人民政府办公厅",
        "platform": "hanweb",
        "allowed_hosts": "zwfw.hangzhou.gov.cn Static.Hangzhou.gov.cn",
        "authorised": "true",
        "window": "20:00-06:00",
        "per_day": "2000",
    }
    (site,) = load_sites(csv_file(tmp_path, row))
    assert site == Site(
        "hangzhou",
        "杭州市人民政府",
        "portal",
        "city",
        "330100",
        "浙江省",
        "https://www.hangzhou.gov.cn/",
        "杭州市人民政府办公厅",
        has_services=False,
        platform="hanweb",
        allowed_hosts=("zwfw.hangzhou.gov.cn", "static.hangzhou.gov.cn"),
        authorised=True,
        window="20:00-06:00",
        per_day=2000,
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf8_is_read_with_or_without_bom(tmp_path: Path, encoding: str) -> None:
    assert load_sites(csv_file(tmp_path, GOOD, encoding=encoding))[0].name == "杭州市人民政府"


def test_chinese_headers_and_words(tmp_path: Path) -> None:
    row = {COLUMNS[name]: value for name, value in GOOD.items()}
    row |= {"类型": "部门", "层级": "区县", "有无服务": "是"}
    (site,) = load_sites(csv_file(tmp_path, row))
    assert (site.kind, site.level, site.has_services) == ("department", "county", True)


def test_xlsx_reads_like_csv(tmp_path: Path) -> None:
    values: list[object] = [330100 if name == "code" else value for name, value in GOOD.items()]
    values[list(GOOD).index("has_services")] = True
    path = workbook(tmp_path, list(GOOD), [None] * len(GOOD), values)
    assert load_sites(path) == load_sites(csv_file(tmp_path, GOOD))


def test_blank_rows_and_outer_blanks_are_skipped(tmp_path: Path) -> None:
    row = ",".join(GOOD.values()).replace("hangzhou,", "　hangzhou ,")
    text = f"\n{','.join(GOOD)}\n,,,,,,,,,\n\n{row}\n,\n"
    (site,) = load_sites(text_file(tmp_path, text))
    assert site.site_id == "hangzhou"


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("site_id", "", "is empty; give the site an id"),
        ("site_id", "Hang_zhou", "is no site id"),
        ("site_id", "-hangzhou", "is no site id"),
        ("site_id", "a" * 65, "is no site id"),
        ("site_id", "杭州", "is no site id"),
        ("site_id", "3-Jan", "Excel turned the id into '3-Jan'"),
        ("site_id", "Mar-23", "Excel turned the id into"),
        ("site_id", "1月3日", "Excel turned the id into '1月3日'"),
        ("site_id", "2023/1/3", "Excel turned the id into"),
        ("site_id", "2023-01-03", "Excel turned the id into"),
        ("site_id", "3.30E+09", "Excel turned the id into"),
        ("site_id", "probe", "is the name of a spider"),
        ("name", "", "is empty; give the name"),
        ("name", "　", "is empty; give the name"),
        ("name", "杭州市\n人民政府", "line break"),
        ("name", '=HYPERLINK("http://x")', "is a formula"),
        ("name", "@SUM(A1)", "read as a formula"),
        ("name", "#N/A", "is a spreadsheet error"),
        ("name", "杭州�人民政府", "damaged characters"),
        ("name", "市" * 201, "has 201 characters"),
        ("kind", "", "is empty; write portal (门户) or department (部门)"),
        ("kind", "website", "'website' is unknown; write portal (门户) or department (部门)"),
        ("level", "town", "'town' is unknown; write province"),
        ("code", "", "is empty; give the six digits"),
        ("code", "3.301E+05", "Excel turned the code into '3.301E+05'"),
        ("code", "330100.0", "Excel turned the code into '330100.0'"),
        ("code", "33010", "has 5 digits, six are due"),
        ("code", "3301000", "is no division code"),
        ("code", "３３０１００", "is no division code"),
        ("url", "", "is empty; give the address"),
        ("url", "www.hangzhou.gov.cn", "does not start with http:// or https://"),
        ("url", "ftp://www.hangzhou.gov.cn/", "does not start with http:// or https://"),
        ("url", "javascript:alert(1)", "does not start with http:// or https://"),
        ("url", "http:///index.html", "no valid host name"),
        ("url", "http://hangzhou/", "no valid host name"),
        ("url", "http://-a.gov.cn/", "no valid host name"),
        ("url", "http://127.1/", "no valid host name"),
        ("url", "http://a..gov.cn/", "no valid host name"),
        ("url", "http://www.hangzhou.gov.cn\\a", "no valid host name"),
        ("url", "http://www.hang zhou.gov.cn/", "holds a blank"),
        ("url", "http://a.gov.cn/ http://b.gov.cn/", "holds a blank"),
        ("url", "http://user:secret@a.gov.cn/", "holds a user name or password"),
        ("url", "http://a.gov.cn:99999/", "invalid host or port"),
        ("url", "http://a.gov.cn:x/", "invalid host or port"),
        ("url", "http://a.gov.cn:0/", "port 0"),
        ("url", "http://[::1/", "invalid host or port"),
        ("url", "http://a.gov.cn/" + "a" * 2000, "use at most 2000"),
        ("has_services", "maybe", "is neither true nor false"),
        ("has_services", "1", "is neither true nor false"),
        ("platform", "Han Web", "is no platform name"),
        ("allowed_hosts", "http://a.gov.cn", "is no host name"),
        ("authorised", "x", "is neither true nor false"),
        ("window", "in the night", "is no span of hours"),
        ("window", "20:00-25:00", "is no span of hours"),
        ("per_day", "many", "is no number of requests"),
    ],
)
def test_bad_value_is_named_with_row_and_column(tmp_path: Path, column: str, value: str, said: str) -> None:
    extra = {"allowed_hosts": "", "authorised": "", "window": "", "per_day": ""}
    (problem,) = problems(csv_file(tmp_path, OTHER | extra, GOOD | extra | {column: value}))
    assert problem.startswith(f"row 3, column {column}: ")
    assert said in problem
    assert "\n" not in problem


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    assert "secret" not in problems(csv_file(tmp_path, GOOD | {"url": "http://u:secret@a.gov.cn/"}))[0]


@pytest.mark.parametrize(
    "url", ["http://浙江.政务.cn/", "http://127.0.0.1:8000/", "http://[::1]:80/", "HTTP://A.cn"]
)
def test_unusual_but_valid_addresses(tmp_path: Path, url: str) -> None:
    assert load_sites(csv_file(tmp_path, GOOD | {"url": url}))[0].url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://www.hangzhou.gov.cn/",
        "https://WWW.Hangzhou.gov.cn",
        "https://www.hangzhou.gov.cn:443/",
        "http://www.hangzhou.gov.cn:80",
        "https://www.hangzhou.gov.cn./",
    ],
)
def test_one_address_in_two_spellings_is_a_duplicate(tmp_path: Path, url: str) -> None:
    (problem,) = problems(csv_file(tmp_path, GOOD, OTHER | {"url": url}))
    assert problem == f"row 3, column url: '{url}' is already in row 2; remove one of the two rows"


def test_other_port_or_path_is_another_site(tmp_path: Path) -> None:
    rows = [
        GOOD | {"site_id": f"s{n}", "url": f"http://a.gov.cn{tail}"}
        for n, tail in enumerate(["", ":81", "/x"])
    ]
    assert len(load_sites(csv_file(tmp_path, *rows))) == 3


def test_duplicate_id(tmp_path: Path) -> None:
    (problem,) = problems(csv_file(tmp_path, GOOD, OTHER | {"site_id": "hangzhou"}))
    assert problem == "row 3, column site_id: 'hangzhou' is already in row 2; give each site its own id"


def test_every_fault_is_reported_in_row_order(tmp_path: Path) -> None:
    path = csv_file(tmp_path, GOOD | {"kind": "x", "url": "x"}, OTHER, OTHER | {"name": ""})
    places = [problem.split(":")[0] for problem in problems(path)]
    assert places == [
        "row 2, column kind",
        "row 2, column url",
        "row 4, column name",
        "row 4, column site_id",
        "row 4, column url",
    ]


def test_report_has_a_head_line_and_a_bound(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, *[GOOD | {"site_id": f"s{n}", "kind": "x", "url": f"http://a{n}.cn"} for n in range(300)]
    )
    with pytest.raises(GovcrawlError) as caught:
        load_sites(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == "roster.csv: 300 faults in the roster, nothing was taken from it"
    assert lines[-1] == "… and 100 more"
    assert len(lines) == 202


def test_gbk_file_is_told_to_be_saved_as_utf8(tmp_path: Path) -> None:
    (problem,) = problems(csv_file(tmp_path, GOOD, encoding="gbk"))
    assert "the text is GBK" in problem
    assert "save as UTF-8" in problem


def test_utf16_file_is_told_to_be_saved_as_utf8(tmp_path: Path) -> None:
    assert "save it as UTF-8" in problems(csv_file(tmp_path, GOOD, encoding="utf-16"))[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        (",".join(GOOD) + "\n", "no site"),
        ("2023年网站名单\n", "names no known column"),
        (";".join(GOOD) + "\n", "separated by semicolons"),
        ("\t".join(GOOD) + "\n", "separated by tabs"),
        ("site_id,name,kind,level,code\n", "column url (网址) is missing"),
        (",".join([*GOOD, "colour"]) + "\n", "row 1, column K: unknown column 'colour'"),
        (",".join([*GOOD, "网址"]) + "\n", "column url (网址) appears 2 times"),
        ("\0\1\2", "neither CSV text nor an .xlsx workbook"),
        ("PK not a zip", "damaged or no .xlsx"),
    ],
)
def test_unusable_file_is_explained(tmp_path: Path, text: str, said: str) -> None:
    assert said in problems(text_file(tmp_path, text))[0]


def test_faults_of_header_and_rows_come_together(tmp_path: Path) -> None:
    row = {name: value for name, value in GOOD.items() if name != "url"} | {"web": "x", "kind": "y"}
    found = problems(csv_file(tmp_path, row))
    assert [problem.split(":")[0] for problem in found] == ["row 1, column J", "row 1", "row 2, column kind"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("hangzhou,杭州", "row 2: has 2 cells where the header has 10"),
        (",".join([*GOOD.values(), "more"]), "row 2: column K holds 'more' but has no header"),
        ('"hangzhou,杭州', "row 2: a quotation mark is not closed"),
        ('"hang"zhou,杭州', "row 2: a quotation mark"),
        ("x" * 200_000, "row 2: a value is too long"),
    ],
)
def test_broken_csv_row(tmp_path: Path, row: str, said: str) -> None:
    (problem,) = problems(text_file(tmp_path, f"{','.join(GOOD)}\n{row}\n"))
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("site_id", dt.datetime(2023, 1, 3), "turned the value into a date"),  # noqa: DTZ001
        ("site_id", dt.time(3, 1), "turned the value into a date or time"),
        ("code", 330100.5, "turned the value into the number 330100.5"),
        ("site_id", 3301000012345678901, "turned the value into the number"),
        ("code", '="330100"', "is a formula"),
        ("name", "=B2", "is a formula"),
        ("has_services", 1, "is neither true nor false"),
    ],
)
def test_excel_cells_that_lost_their_meaning(tmp_path: Path, column: str, value: object, said: str) -> None:
    values: list[object] = [value if name == column else text for name, text in GOOD.items()]
    (problem,) = problems(workbook(tmp_path, list(GOOD), values))
    assert problem.startswith(f"row 2, column {column}: ")
    assert said in problem


def test_merged_cells_are_named(tmp_path: Path) -> None:
    path = workbook(tmp_path, list(GOOD), list(GOOD.values()), list(OTHER.values()), merge="F2:F3")
    assert problems(path) == tuple(
        f"row {row}: cells F2:F3 are merged; unmerge them and fill in each" for row in (2, 3)
    )


def test_merged_title_row_asks_for_the_header(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["名单", None], list(GOOD), list(GOOD.values()), merge="A1:J1")
    assert "the first row must name the columns" in problems(path)[0]


def test_old_excel_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "roster.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512))
    assert "old or protected Excel workbook" in problems(path)[0]


def test_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(b"a" * (17 * 1024 * 1024))
    assert "more than 16 MiB" in problems(path)[0]
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(40 * 1024 * 1024))
    path.write_bytes(packed.getvalue())
    assert "unpacks to over 32 MiB" in problems(path)[0]


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    assert "more than 20000 rows" in problems(text_file(tmp_path, ",".join(GOOD) + "\n" + ",,\n" * 20_001))[0]


def test_far_away_cell_is_refused(tmp_path: Path) -> None:
    book = Workbook()
    assert book.active is not None
    book.active.cell(1_000_000, 1, "x")
    path = tmp_path / "roster.xlsx"
    book.save(path)
    assert "reaches over 1000000 rows" in problems(path)[0]


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "does not exist" in problems(tmp_path / "none.csv")[0]
    assert "is not a file" in problems(tmp_path)[0]


def test_written_roster_reads_back(tmp_path: Path) -> None:
    write_sites(tmp_path / "copy.csv", load_sites())
    assert load_sites(tmp_path / "copy.csv") == load_sites()


def test_import_replaces_the_target(tmp_path: Path) -> None:
    target = tmp_path / "target.csv"
    write_sites(target, load_sites())
    assert import_roster(csv_file(tmp_path, GOOD, OTHER), target) == 2
    assert [site.site_id for site in load_sites(target)] == ["hangzhou", "ningbo"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["roster.csv", "target.csv"]


def test_bad_import_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "target.csv"
    write_sites(target, load_sites())
    before = target.read_bytes()
    with pytest.raises(RosterError):
        import_roster(csv_file(tmp_path, GOOD, OTHER | {"kind": "x"}), target)
    assert target.read_bytes() == before


def test_unwritable_target_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match="cannot be written") as caught:
        import_roster(csv_file(tmp_path, GOOD), tmp_path / "no" / "target.csv")
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=400), prefix=st.sampled_from([b"", b"PK\x03\x04", f"{','.join(GOOD)}\n".encode()])
)
def test_any_bytes_end_in_sites_or_a_roster_error(tmp_path: Path, data: bytes, prefix: bytes) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_bytes(prefix + data)
    try:
        outcome: tuple[object, ...] = load_sites(path)
    except RosterError as error:
        outcome = error.problems
    assert outcome


# --- addresses of names ---------------------------------------------------------------------------------


def test_a_hosts_file_gives_the_addresses_of_each_name(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text(
        "\ufeff# of the operator, 2023-09-20\n\n192.0.2.7 www.a.gov.cn A.gov.cn. # two names\n"
        "2001:DB8::0:7\twww.a.gov.cn\n192.0.2.7 www.a.gov.cn\n192.0.2.8 政府.中国\n",
        encoding="utf-8",
    )
    assert load_hosts(path) == {
        "www.a.gov.cn": ("192.0.2.7", "2001:db8::7"),
        "a.gov.cn": ("192.0.2.7",),
        "xn--mxtq1m.xn--fiqs8s": ("192.0.2.8",),
    }


@pytest.mark.parametrize("line", ["www.a.gov.cn 192.0.2.7", "192.0.2.7", "192.0.2.300 www.a.gov.cn", "1 .."])
def test_a_faulty_line_of_a_hosts_file_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "hosts"
    path.write_text(f"192.0.2.7 www.b.gov.cn\n{line}\n")
    with pytest.raises(GovcrawlError, match=r"hosts, line 2: .* is not an address and its names; correct it"):
        load_hosts(path)


def test_a_hosts_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(GovcrawlError, match="nowhere: cannot be read"):
        load_hosts(tmp_path / "nowhere")
    (tmp_path / "hosts").write_bytes("192.0.2.7 政府".encode("gbk"))
    with pytest.raises(GovcrawlError, match="hosts: cannot be read"):
        load_hosts(tmp_path / "hosts")
