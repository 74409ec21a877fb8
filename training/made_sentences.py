"""Korean sentences made by rule: what the corpora seldom hold and everybody says.

Negated feelings beside plain ones, short replies, questions and plain facts without any feeling,
each in several endings, and what emoji and typed faces are normalised to. The sentences in
`own_sentences.csv`, which measure the same, use other stems, endings and nouns.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

MADE = "made"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


#: Emotion, stem before -지, then present and past as said among friends, and the formal present.
_FEELINGS = (
    ("sadness", "슬프", "슬퍼", "슬펐어", "슬픕니다"),
    ("sadness", "우울하", "우울해", "우울했어", "우울합니다"),
    ("sadness", "외롭", "외로워", "외로웠어", "외롭습니다"),
    ("sadness", "속상하", "속상해", "속상했어", "속상합니다"),
    ("sadness", "괴롭", "괴로워", "괴로웠어", "괴롭습니다"),
    ("fear", "무섭", "무서워", "무서웠어", "무섭습니다"),
    ("fear", "불안하", "불안해", "불안했어", "불안합니다"),
    ("fear", "두렵", "두려워", "두려웠어", "두렵습니다"),
    ("fear", "떨리", "떨려", "떨렸어", "떨립니다"),
    ("anger", "짜증나", "짜증나", "짜증났어", "짜증납니다"),
    ("anger", "열받", "열받아", "열받았어", "열받습니다"),
    ("anger", "화나", "화나", "화났어", "화납니다"),
    ("anger", "분하", "분해", "분했어", "분합니다"),
    ("disgust", "역겹", "역겨워", "역겨웠어", "역겹습니다"),
    ("disgust", "징그럽", "징그러워", "징그러웠어", "징그럽습니다"),
    ("disgust", "더럽", "더러워", "더러웠어", "더럽습니다"),
    ("disgust", "불쾌하", "불쾌해", "불쾌했어", "불쾌합니다"),
    ("surprise", "놀랍", "놀라워", "놀라웠어", "놀랍습니다"),
    ("surprise", "당황스럽", "당황스러워", "당황스러웠어", "당황스럽습니다"),
    ("surprise", "신기하", "신기해", "신기했어", "신기합니다"),
    ("happiness", "행복하", "행복해", "행복했어", "행복합니다"),
    ("happiness", "기쁘", "기뻐", "기뻤어", "기쁩니다"),
    ("happiness", "즐겁", "즐거워", "즐거웠어", "즐겁습니다"),
    ("happiness", "신나", "신나", "신났어", "신납니다"),
)
_SAID = ("{now}", "{now}요", "{past}", "{past}요", "{formal}", "너무 {now}", "정말 {now}요")
_SAID += ("나 지금 {now}", "오늘 진짜 {past}", "그 얘기 들으니까 {now}", "아 {now}", "아직도 {now}")
_DENIED = ("안 {now}", "안 {now}요", "안 {past}", "안 {past}요", "{stem}지 않아", "{stem}지 않아요")
_DENIED += (
    "{stem}지 않았어",
    "{stem}지 않습니다",
    "별로 안 {now}",
    "하나도 안 {now}",
    "전혀 안 {now}요",
)
_DENIED += ("전혀 {stem}지 않아", "이제 안 {now}", "그렇게 {stem}지는 않아", "나는 {stem}지 않아")
_DENIED += ("생각보다 안 {past}", "하나도 {stem}지 않았어요", "나 안 {now}")
#: What nobody should do, which comforts and tells of no feeling of one's own.
_FORBIDDEN = (
    "걱정하지",
    "울지",
    "슬퍼하지",
    "놀라지",
    "무서워하지",
    "화내지",
    "겁먹지",
    "신경 쓰지",
)
_FORBIDDING = ("{} 마", "{} 마요", "{} 마세요", "너무 {} 마", "이제 {} 마", "{} 않아도 돼")

_REPLIES = _listed(
    "네|예|응|어|음|넵|넹|ㅇㅇ|ㅇㅋ|어어|그래|그래요|그래 알았어|그렇군요|그렇구나|아 그렇구나|"
    "그런가|그런가요|그렇지|그렇지요|알겠어|알겠어요|알겠습니다|네 알겠습니다|알았어|알았어요|"
    "확인했어요|확인했습니다|맞아|맞아요|맞습니다|아니|아니요|아니에요|글쎄|글쎄요|괜찮아|"
    "괜찮아요|괜찮습니다|됐어요|그럼|그럼요|잠깐만|잠시만요|잠시만 기다려 주세요|여보세요|"
    "안녕하세요|안녕|처음 뵙겠습니다|수고하세요|다음에 봐요|내일 봐|들어가세요|네 맞아요|"
    "네 그렇습니다|그거 맞아|이거야|저기요|그냥|그냥 그래|그냥 그래요|보통이에요|별일 없어|"
    "별일 없어요|똑같지 뭐|아무거나|둘 다|나중에|지금 가|가는 중이야|이따가 할게|할게요|"
    "해 볼게요|생각해 볼게|생각해 볼게요|모르겠어|잘 모르겠어요|몰라|기억이 안 나|그건 아니야|"
    "그럴 수도 있지|그럴 거야|아마도|아마 그럴 거예요|필요 없어|필요하면 말해|말해 봐|계속해|"
    "듣고 있어|듣고 있어요|어 왜|네 말씀하세요|상담원입니다|안녕하세요 상담원입니다|"
    "문의하신 내용을 확인하고 있습니다|담당자에게 전달하겠습니다|처리해 드리겠습니다|"
    "연락처를 남겨 주세요|성함이 어떻게 되세요"
)
_THINGS = _listed(
    "배송|환불|결제|예약|주문|접수|교환|회의|수업|버스|기차|점심|저녁|약속|시험|공연|면접|택배|"
    "청소|공사"
)
_ASKED = ("{은} 언제 되나요", "{은} 언제 해", "{은} 언제 해요", "{은} 몇 시야", "{은} 몇 시예요")
_ASKED += (
    "{은} 어디서 해요",
    "{은} 어디야",
    "{은} 어떻게 하나요",
    "{은} 얼마나 걸려",
    "{은} 얼마나 걸리나요",
)
_ASKED += (
    "{} 신청은 어떻게 해요",
    "{} 시간 좀 알려 주세요",
    "{} 끝났어",
    "{} 끝났어요",
    "{을} 바꿀 수 있나요",
)
_TOLD = (
    "{은} 내일이야",
    "{은} 내일이에요",
    "{은} 세 시에 시작합니다",
    "{은} 다음 주로 옮겼어",
    "{은} 잘 끝났어",
)
_TOLD += (
    "{은} 오전에 했어요",
    "{은} 취소됐어",
    "{을} 알아보고 있어요",
    "{을} 확인하고 있습니다",
    "{은} 오늘까지야",
)
_DAYS = ("오늘", "내일", "어제", "이번 주말", "다음 달")
_DONE = (
    "밥 먹었어",
    "집에 있었어",
    "책 읽었어",
    "도서관 갔어",
    "장 봤어",
    "일찍 잤어",
    "학교 갔어",
    "빨래했어",
)
_ASKED_PLAINLY = _listed(
    "무슨 요일이야|며칠이야|날씨 어때|몇 시에 일어났어|뭐 먹었어|뭐 했어|어디 갔어|누구 만났어|"
    "뭐 할 거야|어디 갈 거야"
)
#: Praise that nobody means.
_MOCKED = _listed(
    "퍽이나 고맙네|퍽이나 좋겠다|퍽이나 도움이 되겠다|퍽이나 그러겠다|참 잘하는 짓이다|참 잘났다|"
    "아주 잘하는 짓이야|잘났어 정말|어련하시겠어|그래 너 잘났다|참 고맙기도 하네|"
    "고마워서 눈물이 다 나네|참 일찍도 온다|참 빨리도 말한다|자랑이다 자랑이야|"
    "그래 네 맘대로 해라|대단하시네 아주|누가 보면 네가 사장인 줄 알겠다|눈물 나게 고맙다 진짜"
)
#: Typed faces and what emoji are normalised to.
_FACES = {
    "happiness": ("^^", "♥", "ㅎㅎ", "ㅋㅋ", "^^ ^^", "♥ ♥", "ㅋㅋ ㅋㅋ", "ㅎㅎ ^^"),
    "sadness": ("ㅠㅠ", "ㅠ", "ㅠㅠ ㅠㅠ", "아 ㅠㅠ", "힝 ㅠㅠ"),
    "anger": ("화나", "화나 화나", "ㅡㅡ", "아 ㅡㅡ", "ㅡㅡ 화나"),
    "disgust": ("역겨워", "역겨워 역겨워", "우웩", "윽 역겨워"),
    "fear": ("무서워", "무서워 무서워", "ㄷㄷ", "ㅎㄷㄷ"),
    "surprise": ("헉", "헉 헉", "헐", "헐 헉", "헉 뭐야"),
}
#: Sentences that say nothing before a face.
_PLAIN = (
    "오늘 왔어",
    "이거 봐",
    "지금 집이야",
    "그 사람 왔어",
    "이거 받았어",
    "나 간다",
    "방금 들었어",
)
_PLAIN += ("",)


def made_sentences() -> Iterator[tuple[str, str]]:
    """Make every sentence with its emotion."""
    for emotion, stem, now, past, formal in _FEELINGS:
        forms = {"stem": stem, "now": now, "past": past, "formal": formal}
        yield from ((way.format(**forms), emotion) for way in _SAID)
        # Who is not happy is sad; who is not sad is nothing in particular.
        denied = "sadness" if emotion == "happiness" else "neutral"
        yield from ((way.format(**forms), denied) for way in _DENIED)
    for thing, way in product(_FORBIDDEN, _FORBIDDING):
        yield way.format(thing), "neutral"
    for reply in _REPLIES:
        yield reply, "neutral"
    for thing in _THINGS:
        for way in _ASKED:
            yield _told(way, thing) + "?", "neutral"
        for way in _TOLD:
            yield _told(way, thing), "neutral"
    for day, done in product(_DAYS, _DONE):
        yield from ((f"{day} {done}{ending}", "neutral") for ending in ("", "요"))
    for day, asked in product(_DAYS, _ASKED_PLAINLY):
        yield f"{day} {asked}?", "neutral"
    for mocked in _MOCKED:
        yield mocked, "anger"
    for emotion, faces in _FACES.items():
        for face, plain in product(faces, _PLAIN):
            yield f"{plain} {face}".strip(), emotion


def _told(way: str, thing: str) -> str:
    """Fill in a noun with the particles that its last syllable asks for."""
    closed = (ord(thing[-1]) - ord("가")) % 28 > 0
    topic, object_ = ("은", "을") if closed else ("는", "를")
    return way.format(thing, 은=thing + topic, 을=thing + object_)
