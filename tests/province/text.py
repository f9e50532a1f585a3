"""Words and sentences of the invented province 云江省, drawn by a seeded generator."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from datetime import date, timedelta
from random import Random

PROVINCE = "云江省"
_FIRST = {
    "兰": "lan", "清": "qing", "桐": "tong", "松": "song", "澄": "cheng", "沐": "mu",
    "柳": "liu", "砚": "yan", "棠": "tang", "苇": "wei", "枫": "feng", "鹿": "lu",
}  # fmt: skip
_SECOND = {
    "泽": "ze", "川": "chuan", "浦": "pu", "岭": "ling", "溪": "xi",
    "湾": "wan", "屏": "ping", "渡": "du", "洲": "zhou",
}  # fmt: skip
TOPICS = (
    "安全生产", "防汛防台", "营商环境", "乡村振兴", "生态保护", "数字经济", "基层治理", "城市更新", "养老服务",
    "教育均衡", "医疗保障", "创业就业", "粮食生产", "文明创建", "交通建设", "水源保护", "消费促进", "科技创新",
    "垃圾分类", "食品安全", "全民健身", "文化惠民", "电动自行车管理", "农村供水", "老旧小区改造", "信用体系建设",
    "森林防火", "困难群众救助", "校园安全", "项目建设",
)  # fmt: skip
_SURNAMES = "陈林周吴郑王冯褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜"
_GIVEN = (
    "明远", "思齐", "建国", "晓岚", "文涛", "志恒", "雅琴", "立新", "海波", "秋实", "永康", "静怡", "国栋", "春晖",
    "子衡", "若水", "乐山", "启航", "慧敏", "承志",
)  # fmt: skip
_SENTENCES = (
    "会议强调，要把{topic}摆在更加突出的位置，细化任务清单，压实各方责任。",
    "各地各单位要结合实际，坚持问题导向，推动{topic}各项举措落地见效。",
    "截至目前，全{unit}已排查点位{n}处，办结群众反映事项{m}件，满意率保持在较高水平。",
    "下一步，{area}将继续健全长效机制，以更实的作风推进{topic}。",
    "工作人员走进社区和企业，面对面听取意见建议，现场解答关于{topic}的疑问。",
    "相关负责人表示，{topic}关系群众切身利益，必须久久为功、善作善成。",
    "要加强部门协同和信息共享，避免重复填报，切实减轻基层负担。",
    "活动现场设置咨询台{m}个，发放资料{n}余份，气氛热烈有序。",
    "请各有关单位认真组织学习，按照职责分工抓好贯彻落实。",
    "在实地查看项目进展后，调研组就{topic}与一线职工进行了交流。",
    "据介绍，今年以来{area}累计投入资金{n}万元用于{topic}。",
    "遇到重大情况应当及时报告，不得迟报、漏报、瞒报。",
)


def areas() -> list[tuple[str, str]]:
    """Return the invented place names with their Latin spelling, always in the same order."""
    pairs = [(a + b, pa + pb) for b, pb in _SECOND.items() for a, pa in _FIRST.items()]
    return [pairs[(step * 41) % len(pairs)] for step in range(len(pairs))]


def person(rng: Random) -> str:
    """Draw a person's name."""
    return rng.choice(_SURNAMES) + rng.choice(_GIVEN)


def sentence(rng: Random, area: str) -> str:
    """Draw one sentence of ordinary official prose."""
    return rng.choice(_SENTENCES).format(
        topic=rng.choice(TOPICS), area=area, unit=area[-1], n=rng.randint(30, 900), m=rng.randint(3, 90)
    )


def paragraphs(rng: Random, area: str, count: int) -> list[str]:
    """Draw paragraphs of three or four sentences."""
    return ["".join(sentence(rng, area) for _ in range(rng.randint(3, 4))) for _ in range(count)]


_TITLES = {
    "news": (
        "{area}召开{topic}工作推进会", "{person}调研{topic}工作", "{area}{topic}取得阶段性成效",
        "聚焦{topic} {area}亮出新举措", "{area}开展{topic}专项行动", "我{unit}举行{topic}现场会",
        "{area}组织{topic}集中宣传活动", "{person}主持召开{topic}专题会议",
    ),
    "notice": (
        "关于开展{year}年{topic}工作的通知", "关于公布{topic}示范单位名单的公告", "关于{topic}有关事项的通告",
        "关于组织申报{topic}项目的通知", "{topic}拟入选名单公示",
    ),
    "policy": (
        "关于印发《{area}{topic}实施方案》的通知", "关于加强{topic}的若干意见", "{area}{topic}管理办法",
        "关于进一步做好{topic}工作的实施意见",
    ),
    "interp": (
        "《{area}{topic}实施方案》政策解读", "一图读懂{topic}若干意见", "《{area}{topic}管理办法》解读",
    ),
    "personnel": ("{person}等同志职务任免的通知", "{year}年公开招聘工作人员拟聘用公示", "{year}年度公务员考录体检公告"),
    "plans": ("{area}{topic}“十四五”规划", "{year}年{topic}工作要点", "{area}{topic}三年行动计划"),
    "finance": ("{year}年度部门预算公开", "{year}年{topic}专项资金分配结果", "{year}年度{topic}绩效评价报告"),
    "data": ("{year}年{month}月{topic}统计数据", "{area}{year}年上半年{topic}运行情况", "{topic}主要指标（{month}月）"),
    "stats": ("{year}年{month}月办件统计", "{year}年{month}月政务服务办件情况"),
    "survey": ("关于《{area}{topic}管理办法（草案）》的意见征集", "{topic}满意度问卷调查", "“{topic}”金点子征集"),
    "other": ("{topic}工作问答", "{area}{topic}典型案例", "{topic}小知识", "{area}{topic}简报"),
}  # fmt: skip


def policy_name(rng: Random, area: str) -> str:
    """Draw the name of a policy, without its number or the words of its notice."""
    kinds = ("实施方案", "管理办法", "若干措施", "三年行动方案")
    return f"{area}{rng.choice(TOPICS)}{rng.choice(kinds)}"


def title(rng: Random, kind: str, area: str, day: date) -> str:
    """Draw an article title that suits its column."""
    month = (day.replace(day=1) - timedelta(days=1)).month
    return rng.choice(_TITLES.get(kind, _TITLES["other"])).format(
        area=area, unit=area[-1], topic=rng.choice(TOPICS), person=person(rng), year=day.year, month=month
    )


COLUMN_NAMES = {
    "news": ("要闻动态", "工作动态", "新闻中心", "政务要闻", "时政要闻", "动态要闻", "政务动态", "新闻动态"),
    "news2": ("部门动态", "基层动态", "镇街动态", "区县动态", "业务动态", "系统动态"),
    "notice": ("通知公告", "公示公告", "公告公示", "通知通告"),
    "policy": ("政策文件", "政策法规", "规范性文件", "行政规范性文件", "法规文件"),
    "interp": ("政策解读", "文件解读", "政策解读与回应"),
    "organs": ("机构职能", "机构概况", "机构设置", "单位职能"),
    "leaders": ("领导信息", "领导之窗", "领导介绍", "领导分工"),
    "personnel": ("人事信息", "人事任免", "干部人事", "考录招聘"),
    "plans": ("规划计划", "发展规划", "规划信息", "工作计划"),
    "finance": ("财政信息", "财政预决算", "预决算公开", "资金信息"),
    "data": ("数据发布", "统计数据", "统计信息", "数据开放"),
    "survey": ("调查征集", "意见征集", "民意征集", "网上调查"),
    "messages": ("咨询投诉", "领导信箱", "网上咨询", "局长信箱", "互动留言"),
    "services": ("办事服务", "办事指南", "便民服务", "政务服务"),
    "stats": ("办件统计", "办事统计", "办件公开"),
    "other": ("专题专栏", "知识园地", "典型案例", "科普宣传", "学习园地", "机关党建", "工作简报", "双公示"),
}  # fmt: skip
SUB_NAMES = {
    "policy": ("历史文件", "废止失效文件", "上级文件"),
    "finance": ("专项资金", "政府采购", "绩效评价"),
    "plans": ("总体规划", "专项规划", "年度计划"),
    "personnel": ("任前公示", "考试录用", "职称评审"),
    "other": ("基层之声", "经验交流", "理论文章"),
}
SERVICE_ITEMS = (
    "食品经营许可", "公共场所卫生许可", "建筑工程施工许可", "取水许可审批", "人力资源服务许可", "林木采伐许可",
    "道路货运经营许可", "出版物零售许可", "再生育登记", "社会团体成立登记", "户外广告设置审批", "残疾人证办理",
)  # fmt: skip
QUESTIONS = (
    "小区加装电梯如何申请补贴", "灵活就业人员怎样参保", "孩子转学需要什么条件", "路灯损坏向哪里反映",
    "公交线路能否增加班次", "老旧小区停车位怎么规划", "医保异地报销流程是什么", "装修噪声扰民如何处理",
    "新生儿户口登记在哪里办", "河道清淤什么时候开工",
)  # fmt: skip
