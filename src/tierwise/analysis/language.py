"""Which language a text is in, cheaply: by its script, else by the small words it cannot avoid."""

from __future__ import annotations

import re

_READ_CHARS = 240
# A script that only one widespread language uses decides at once; kana before ideographs, because
# Japanese has both.
_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile(r"[぀-ヿ]")),
    ("ko", re.compile(r"[가-힯ᄀ-ᇿ]")),
    ("zh", re.compile(r"[一-鿿]{2}")),
    ("uk", re.compile(r"\w*[іїєґ]\w*|\b(?:що|це|цей|цю|який|яка|яке|яку|або)\b")),
    ("ru", re.compile(r"[а-яё]{2}")),
    ("ar", re.compile(r"[؀-ۿ]{2}")),
    ("he", re.compile(r"[א-ת]{2}")),
    ("el", re.compile(r"[α-ωά-ώ]{2}")),
    ("hi", re.compile(r"[ऀ-ॿ]{2}")),
    ("th", re.compile(r"[ก-๛]{2}")),
)
_SMALL_WORDS: dict[str, str] = {
    "en": """the of and to in is it for what how this that with who when which where why are you a
        an my i me please write give hi hello do does can if there all find not from or was did
        should best make good ok thanks yes list explain hey would have your""",
    "de": """der die das und ist ein eine nicht mit für auf den dem des wie was wo wer warum bitte
        ich du sie es mir mein meine zu im aus von ins ob welche kann schreib schreibe hallo diesem
        diesen folgenden drei finde seit muss wenn oder zum""",
    "fr": """le la les des une et est du que qui dans pour pas je tu vous il elle ce cette ces au
        aux sur avec comment pourquoi quel quelle bonjour salut mon ma mes moi ça en de un ou merci
        beaucoup bonne après toujours puis peut""",
    "es": """el los las una unos y es del que qué en por para con no cómo cuál cuánto dónde quién
        se su al mi me este esta estos hola lo más como si sobre hoy gracias buenos la de un está
        dos siempre estoy tengo puede puedo esto""",
    "it": """il lo gli una di è che non per con come del della dello dei delle questo questa sono
        mi chi ciao quale perché cosa sulla nel nella ha la un le ho già posso tutti dal dalla al
        tra seguente scrivi ogni""",
    "pt": """o os as um uma é do da dos das que não em no na para com por como você eu meu minha
        qual quem oi olá tudo estou este esta faça foi nas nos ele está ou estas dá sem fui quais
        seus meus""",
    "nl": """de het een en is van niet dat voor met op te zijn ik je hoe wat waar wie waarom naar
        dit deze nog heb graag hallo om aan maar mijn uit als moet kan""",
    "pl": """i w na z do nie jest się że to jak co gdzie kto dlaczego proszę dla czy po od tego mam
        jaki jaka cześć mnie mój moja""",
    "tr": """ve bir bu için ile ne nasıl mi mı de da çok olan nerede kim neden var lütfen merhaba
        bana şunu""",
    "sv": """och att det som en ett är på av för med inte jag du vad hur var vem varför till den
        har hej om här nedan tre efter mot detta denna skriv""",
}


def _by_word() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for language, words in _SMALL_WORDS.items():
        for word in words.split():
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}


_LANGUAGES_OF = _by_word()
_WORD = re.compile(r"[^\W\d_]+")
_LETTERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("es", re.compile(r"[ñ¿¡]")),
    ("pt", re.compile(r"[ãõ]")),
    ("pl", re.compile(r"[ąęłńśźż]")),
    ("tr", re.compile(r"[ığş]")),
)
"""Letters and signs that only one of these languages has: each is as good as a small word."""


def language_of(text: str) -> str:
    """ISO 639-1 code, or nothing where neither script nor small words tell.

    Only the start is read. A word that several languages share counts for each by its share.
    """
    start = text[:_READ_CHARS].lower()
    words = _WORD.findall(start)
    votes: dict[str, float] = {}
    for word in words:
        languages = _LANGUAGES_OF.get(word)
        if languages:
            for language in languages:
                votes[language] = votes.get(language, 0.0) + 1 / len(languages)
    if not start.isascii():
        for language, letters in _LETTERS:
            found = len(letters.findall(start))
            if found:
                votes[language] = votes.get(language, 0.0) + found
    best = max(votes, key=votes.__getitem__, default="")
    if not start.isascii():
        # A foreign word that is quoted or asked about does not make the sentence foreign.
        for language, script in _SCRIPTS:
            if script.search(start) and sum(map(len, script.findall(start))) > 2 * _latin(words):
                return language
    return best


def _latin(words: list[str]) -> int:
    return sum(word.isascii() for word in words)
