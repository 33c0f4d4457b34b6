"""How people and models decline in ten languages: refuse, know nothing, or hedge.

All is written for text in lower case with straight apostrophes. Every gap in a pattern is bounded,
so that no text can make the search slow.
"""

from __future__ import annotations

import re

from msgspec import Struct


class Language(Struct, frozen=True):
    """The phrases of one language. None of them is in a text that has none of `signs`."""

    signs: tuple[str, ...]
    refuses: re.Pattern[str]
    ignores: re.Pattern[str]
    machine: re.Pattern[str]
    doubts: re.Pattern[str]


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_ENGLISH = Language(
    signs=(
        *("i'm", "i am", "i can", "i will not", "i won't", "i must", "i have to", "i don't"),
        *("i do not", "i refuse", "i decline", "i could", "i currently", "sorry", "afraid"),
        *("my guidelines", "my programming", "my polic", "as an a", "as a l", "enough"),
        *("sufficient", "determined", "answered", "can you", "could you", "difficult to"),
        *("hard to", "impossible to", "i think", "i believe", "i guess", "unable to"),
        "not able to",
    ),
    refuses=_any(
        r"\bi (?:can't|cannot|can not|won't|will not|must decline to|have to decline to|refuse to"
        r"|decline to)(?: \w+){0,2}? (?:help|assist|provide|fulfil|comply|answer|discuss|create"
        r"|generate|write|support|share|engage|give|offer|do (?:that|this)|continue|respond"
        r"|process)",
        r"\bi(?:'m| am) (?:unable|not able|not allowed|not permitted|not comfortable)\b",
        r"\bi (?:don't|do not) feel comfortable\b",
        r"\b(?:sorry|afraid),? (?:but )?(?:i|that|we) (?:can't|cannot|can not|won't|am unable"
        r"|am not able|don't|do not)\b",
        r"\b(?:goes|is|falls) (?:against|outside) my (?:guidelines|programming|polic)",
    ),
    ignores=_any(
        r"\bi (?:do not|don't|cannot|can't) (?:actually |currently )?(?:have (?:access|enough|any"
        r"|the|real-time|information|specific|sufficient)|know\b|find\b|access\b|browse\b"
        r"|see (?:any|the)\b|verify\b|determine\b|recall\b)",
        r"\b(?:not|isn't|no) (?:enough|sufficient) (?:information|context|data)",
        r"\b(?:cannot|can't|can not|could not) be (?:determined|answered)\b",
        r"\b(?:can|could) you (?:please )?(?:provide|clarify|specify|share)\b",
    ),
    machine=_any(
        r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b",
        r"\bi(?:'m| am) (?:just |only )?an? (?:ai|(?:large )?language model)\b",
    ),
    doubts=_any(
        r"\bi(?:'m| am) not (?:\w+ )?(?:sure|certain)\b",
        r"\bi (?:think|believe|guess) (?:it|this|that|the answer)\b[^.\n]{0,40}"
        r"\b(?:but|might|could|maybe)\b",
        r"\b(?:it's|it is) (?:hard|difficult|impossible) to (?:say|tell|determine)\b",
    ),
)
_GERMAN = Language(
    signs=(
        *("leid", "bedaure", "entschuldigung", "nicht", "kein", "ki-", "als ki", "sprachmodell"),
        *("künstliche", "außerstande"),
    ),
    refuses=_any(
        r"\b(?:tut mir leid|bedaure|entschuldigung),? [^.\n]{0,40}\b(?:nicht|kein)",
        r"\b(?:kann|darf|werde|möchte) (?:ich |ihnen |dir |euch |das |dies |dabei |damit |hierbei "
        r"|diese anfrage |leider ){0,4}(?:nicht|keine?n?)\b[^.\n]{0,40}"
        r"(?:helfen|beantworten|unterstützen|erfüllen|erstellen|geben|anbieten)",
        r"\b(?:ich bin|bin ich) (?:leider )?(?:nicht in der lage|außerstande)\b",
    ),
    ignores=_any(
        r"\b(?:weiß|kenne) (?:ich )?(?:es |das )?(?:leider )?nicht\b",
        r"\bhabe (?:ich )?(?:leider )?(?:keinen zugriff|keine informationen|keine angaben)",
        r"\bnicht (?:genug|genügend) informationen",
    ),
    machine=_any(r"\bals (?:ki\b|ki-|künstliche intelligenz|(?:großes )?sprachmodell)"),
    doubts=_any(r"\b(?:ich bin|bin ich)(?: mir)? nicht (?:ganz )?sicher\b"),
)
_FRENCH = Language(
    signs=("je ne", "désol", "regrette", "en tant qu", "je n'ai"),
    refuses=_any(
        r"\bje ne (?:peux|pourrai|saurais) (?:malheureusement )?(?:pas )?(?:vous |t'|te |en )?"
        r"(?:aider|répondre|fournir|donner|créer|générer|faire|assister)",
        r"\bje ne suis (?:malheureusement )?pas (?:en mesure|autorisée?)\b",
        r"\b(?:désolée?|regrette),? [^.\n]{0,30}\bje ne (?:peux|suis|pourrai)\b",
    ),
    ignores=_any(
        r"\bje ne (?:le )?sais pas\b",
        r"\bje n'ai pas (?:accès|d'information|suffisamment|assez)",
    ),
    machine=_any(r"\ben tant qu(?:e modèle|'ia\b|'intelligence artificielle|'assistant)"),
    doubts=_any(r"\bje ne suis pas (?:tout à fait |entièrement )?(?:sûre?|certaine?)\b"),
)
_SPANISH = Language(
    signs=(
        *("no puedo", "no podr", "no me es", "no estoy", "no soy", "siento", "lamento"),
        *("no sé", "no lo sé", "no tengo", "como un", "como modelo", "como ia", "disculpa"),
    ),
    refuses=_any(
        r"\bno (?:puedo|podré|me es posible|estoy en condiciones de|soy capaz de) (?:\w+ )?"
        r"(?:ayudar|responder|proporcionar|ofrecer|cumplir|generar|crear|dar|hacer|asistir)",
        r"\b(?:lo siento|lo lamento|disculpa),? (?:pero )?no (?:puedo|podré|tengo)\b",
    ),
    ignores=_any(r"\bno (?:lo )?sé\b", r"\bno tengo (?:acceso|información|datos|suficiente)"),
    machine=_any(r"\bcomo (?:una? )?(?:ia\b|modelo de lenguaje|inteligencia artificial)"),
    doubts=_any(r"\bno estoy (?:muy |del todo )?segur[oa]\b"),
)
_ITALIAN = Language(
    signs=("non posso", "non sono", "non so", "non lo so", "non ho", "come modello", "come ia"),
    refuses=_any(
        r"\bnon posso (?:\w+ )?(?:aiut|risp|forn|assist|gener)",
        r"\bnon sono in grado di\b",
    ),
    ignores=_any(r"\bnon (?:lo )?so\b", r"\bnon ho (?:accesso|informazioni)\b"),
    machine=_any(r"\bcome (?:ia\b|modello linguistico)"),
    doubts=_any(r"\bnon (?:ne )?sono (?:del tutto )?sicur[oa]\b"),
)
_PORTUGUESE = Language(
    signs=("não posso", "não consigo", "não sou", "não sei", "não tenho", "como um", "como ia"),
    refuses=_any(
        r"\bnão (?:posso|consigo|sou capaz de) (?:\w+ )?(?:ajud|respond|fornec|ger|cri|faz|atend)"
    ),
    ignores=_any(r"\bnão sei\b", r"\bnão tenho (?:acesso|informaç)"),
    machine=_any(r"\bcomo (?:uma? )?(?:ia\b|modelo de linguagem)"),
    doubts=_any(r"\bnão tenho certeza\b"),
)
_DUTCH = Language(
    signs=("ik kan", "ik weet", "ik heb geen", "ik ben niet", "als ai", "taalmodel"),
    refuses=_any(
        r"\bik kan (?:je |u )?(?:hier |daar )?(?:helaas )?(?:niet|geen)\b[^.\n]{0,30}"
        r"(?:helpen|geven|beantw)"
    ),
    ignores=_any(r"\bik weet (?:het )?niet\b", r"\bik heb geen (?:toegang|informatie)\b"),
    machine=_any(r"\bals (?:ai\b|taalmodel)"),
    doubts=_any(r"\bik ben (?:er )?niet (?:helemaal )?zeker\b"),
)
_CHINESE = Language(
    signs=("无法", "不能", "不知道", "不清楚", "没有", "作为", "确定"),
    refuses=_any(
        r"(?:抱歉|对不起|很遗憾)[^。\n]{0,12}(?:无法|不能)",
        r"我(?:无法|不能)(?:提供|回答|帮助|协助|满足)",
    ),
    ignores=_any(r"我(?:不知道|不清楚|没有[^。\n]{0,8}信息)"),
    machine=_any(r"作为(?:一个|一款)?(?:ai|人工智能|语言模型)"),
    doubts=_any(r"我不(?:太)?确定"),
)
_JAPANESE = Language(
    signs=(
        "できません",
        "できかねます",
        "お答えできない",
        "わかりません",
        "分かりません",
        "ai",
        "ありません",
    ),
    refuses=_any(
        r"(?:申し訳|すみません|残念ながら)[^。\n]{0,24}(?:できません|できかねます|お答えできない)"
    ),
    ignores=_any(r"わかりません|分かりません"),
    machine=_any(r"aiとして|言語モデルとして"),
    doubts=_any(r"確かではありません|確信がありません"),
)
_RUSSIAN = Language(
    signs=("я не", "не знаю", "нет доступа", "как ии", "языковая", "не увер"),
    refuses=_any(r"\bя не (?:могу|смогу) [^.\n]{0,12}(?:помо|ответ|предостав|выполн|созда)"),
    ignores=_any(r"\bне знаю\b", r"\bнет доступа\b"),
    machine=_any(r"\bкак (?:ии\b|(?:большая )?языковая модель)"),
    doubts=_any(r"\bне уверен[а]?\b"),
)

LANGUAGES = (
    *(_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE),
    *(_DUTCH, _CHINESE, _JAPANESE, _RUSSIAN),
)
"""English first: most answers are."""
