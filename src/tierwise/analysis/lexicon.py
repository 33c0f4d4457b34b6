"""Words that tell a domain or a kind of work: the first version's simple rules.

A word counts for the one group it is listed under; the group with most hits wins if it has enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tierwise.types import Domain, Kind

_DOMAINS: dict[Domain, str] = {
    "finance": """finance financial revenue earnings ebitda balance-sheet income-statement audit
        auditor accounting accounts gaap ifrs invoice invoices portfolio equity bond bonds dividend
        dividends shareholder shareholders fiscal tax taxes interest loan loans credit asset assets
        liabilities liability cash-flow profit margin quarterly bank banking investment investor
        stock stocks hedge inflation securities depreciation amortisation amortization ledger
        vat iban ticker deductible currency currencies mortgage valuation wacc npv budget cash
        expense expenses gross payroll journal capex refinance leverage covenant lease rate rates
        short-selling steuer rechnung bilanz facture impôt factura impuesto fattura fatura""",
    "legal": """legal law laws lawyer attorney court courts contract contracts clause clauses
        plaintiff defendant statute statutory liability jurisdiction compliance regulation
        regulatory gdpr hipaa tort litigation lawsuit lease tenant landlord patent copyright
        trademark indemnify indemnification nda arbitration breach judge verdict constitutional
        will licence license arbitration act claim claims damages ruling rights enforceable
        privileged judgment judgement hearsay non-compete agreement terms privacy antitrust
        notice obligations party parties vertrag gericht kündigungsfrist recht contrat droits
        contrato sentencia derecho contratto""",
    "medical": """patient patients diagnosis diagnose symptom symptoms disease dose dosage mg
        medication medications drug drugs clinical clinic doctor physician nurse hospital therapy
        treatment surgery tumor cancer diabetes insulin blood pressure antibiotic vaccine infection
        syndrome chronic acute anatomy renal cardiac pulmonary
        heart pain fever allergy allergies pregnant pregnancy x-ray vitals contagious
        ibuprofen paracetamol metformin nausea migraine gp discharge triage icd-10 dizzy medicine
        medicines referral treatment adverse placebo lab vitamin sleep patienten arzt
        nebenwirkungen médecin médico síntomas paziente""",
    "science": """physics chemistry biology molecule molecules atom atoms electron energy force
        velocity acceleration gravity quantum thermodynamics enzyme protein cell cells dna gene
        genes evolution species ecosystem planet planets orbit chemical reaction element elements
        magnet magnetic photosynthesis experiment hypothesis astronomy geology sediment
        moon sun tides gas gases plant plants animal animals temperature heat wave wavelength
        thunder weather ocean sea rock geology study studies sample samples isotope isotopes light
        sky catalyst hypotheses bacteria phylum fossil carbon water mars earth mass abstract
        findings paper""",
    "mathematics": """equation equations integral derivative algebra geometry theorem proof prove
        polynomial matrix vector probability triangle circle radius perimeter prime integer integers
        fraction percent sum product divisor remainder logarithm calculus modulo arithmetic""",
    "code": """code python javascript typescript java rust golang function functions class method
        bug bugs refactor refactoring refactored debug debugging codebase
        compile compiler exception stacktrace traceback api endpoint sql query
        database regex algorithm unittest pytest docker kubernetes git html css json yaml bash
        script variable loop array recursion async import def return implement""",
    "creative": """story poem poems lyrics novel slogan tagline campaign pitch brand creative
        fiction character characters plot haiku limerick screenplay advertisement advert blog
        headline headlines copywriting brainstorm metaphor song""",
    "translation": """translate translation translated french german spanish italian portuguese
        japanese chinese korean russian arabic dutch english
        englisch englische deutsch französisch italienisch spanisch anglais allemand espagnol
        italien inglés alemán francés portugués inglese tedesco francese espanhol francês
        inglês engels
        swedish danish polish turkish hebrew greek latin hindi ukrainian""",
    "support": """refund order orders shipping delivery ticket tickets customer customers account
        password login subscription cancel cancellation complaint warranty replacement helpdesk
        support agent billing
        parcel package courier ordered delivered charged declined paid payment broken
        defective exchange return receipt app reset profile manager receipt printer caller agent
        bestellung paket konto passwort colis commande compte rembourser pedido cuenta contraseña
        reembolso pacote ordine profilo accedere""",
}

_KINDS: dict[Kind, str] = {
    "summarisation": """summarise summarize summary tldr tl;dr shorten condense digest recap gist
        synopsis overview outline abridge zusammenfassung fasse résume résumé resume resumen resumo
        riassumi кратко перескажи""",
    "translation": """translate translation translated translating übersetze übersetzen traduis
        traduire traduce traducir traduci traduza traduzir vertaal przetłumacz çevir переведи
        french german spanish italian portuguese japanese chinese korean russian arabic dutch
        englisch englische deutsch französisch italienisch spanisch anglais allemand espagnol
        italien inglés alemán francés portugués inglese tedesco francese espanhol francês
        inglês engels
        swedish danish polish turkish hebrew greek latin hindi ukrainian""",
    "classification": """classify classification categorise categorize category categories label
        sentiment spam intent positive negative neutral toxic tag flag grade mark detect urgency
        triage bullish bearish classe clasifica classifique ordne einordnen""",
    "extraction": """extract extraction parse fields entities list-all find-all pull names dates
        emails verbatim json table columns convert extrahiere extrais relève extrae saca estrai
        extraia""",
    "code": """refactor refactoring implement debug debugging def function bug unittest compile
        traceback script program code endpoint regex sql dockerfile component class query pytest
        python javascript typescript java rust golang kotlin css html bash pandas react api async
        keyerror typeerror indexerror segfault exception array loop git kubernetes docker excel
        snippet cli makefile refactoriza funktion fonction función skript""",
    "math": """calculate compute solve equation how-many how-much sum product percent derivative
        integral probability area perimeter remainder simplify evaluate berechne résous calcula
        найдите""",
    "creative": """poem story slogan tagline lyrics haiku campaign pitch brainstorm screenplay
        limerick toast blog post headline headlines compose invent imagine draft marketing advert
        verse rhyme gedicht poème poema histoire cuento filastrocca erfinde""",
    "reasoning": """prove deduce reason step-by-step logically puzzle riddle infer analyse analyze
        analysis evaluate assess compare weigh argue argue justify critique derive recommend
        implications trade-offs pros cons consequences review audit design hypothesis prüfe
        begründe wäge razona""",
    "qa": """what who when where which why how explain was wer wann warum welche wie qui quand
        pourquoi qué quién cuándo chi quando qual quem кто что почему""",
    "chat": """hi hello hey thanks thank ok okay bye lol yes sorry feel feeling happy lonely
        hallo hola bonjour salut ciao oi olá привет""",
}

REASONING_WORDS = frozenset(
    word.encode()
    for word in (
        *("prove", "derive", "why", "analyse", "analyze", "compare", "evaluate", "design"),
        *("architecture", "optimise", "optimize", "trade-offs", "strategy", "multi-step"),
        *("compliance", "implications", "justify", "critique", "rigorous", "complex"),
        *("constraints", "assumptions", "refactor", "refactoring", "debug", "debugging", "theorem"),
    )
)
"""Words that make a task look harder."""


CUES: tuple[tuple[str, Kind | Domain], ...] = (
    *(("how do you say", "translation"), ("into french", "translation")),
    *(("into german", "translation"), ("into spanish", "translation")),
    *(("to english", "translation"), ("into english", "translation")),
    *(("in german", "translation"), ("in french", "translation"), ("in spanish", "translation")),
    *(("英文", "translation"), ("英语", "translation"), ("英語", "translation")),
    *(("日文", "translation"), ("法语", "translation"), ("영어", "translation")),
    *(("일본어", "translation"), ("английск", "translation"), ("немецк", "translation")),
    *(("الإنجليزية", "translation"), ("wie sagt man", "translation")),
    *(("comment dit-on", "translation"), ("cómo se dice", "translation")),
    *(("key points", "summarisation"), ("main points", "summarisation")),
    *(("in a nutshell", "summarisation"), ("in one sentence", "summarisation")),
    *(("yes or no", "classification"), ("true or false", "classification")),
    *(("which category", "classification"), ("whether", "classification")),
    *(("one of the following", "classification"), ("is this", "classification")),
    *(("find all", "extraction"), ("list all", "extraction"), ("list every", "extraction")),
    *(("as json", "extraction"), ("into json", "extraction"), ("from the", "extraction")),
    *(("step by step", "reasoning"), ("pros and cons", "reasoning"), ("show that", "reasoning")),
    *(("how many", "math"), ("how much", "math"), ("find the", "math"), ("the sum", "math")),
    *(("write a story", "creative"), ("in the style of", "creative"), ("come up with", "creative")),
    *(("```", "code"), ("def ", "code"), ("();", "code"), ("unit test", "code")),
    *(("i'm ", "chat"), ("i am ", "chat"), ("my order", "support"), ("my account", "support")),
    *(("money back", "support"), ("log in", "support"), ("your site", "support")),
    *(("翻译", "translation"), ("翻譯", "translation"), ("怎么说", "translation")),
    *(("訳して", "translation"), ("번역", "translation"), ("ترجم", "translation")),
    *(("总结", "summarisation"), ("概括", "summarisation"), ("要約", "summarisation")),
    *(("요약", "summarisation"), ("提取", "extraction"), ("抜き出", "extraction")),
    *(("추출", "extraction"), ("分类", "classification"), ("判断", "classification")),
    *(("分類", "classification"), ("代码", "code"), ("函数", "code"), ("関数", "code")),
    *(("バグ", "code"), ("코드", "code"), ("функци", "code"), ("证明", "reasoning")),
    *(("証明", "reasoning"), ("比較", "reasoning"), ("比较", "reasoning"), ("докажи", "reasoning")),
    *(("计算", "math"), ("计算", "mathematics"), ("解方程", "mathematics"), ("多少", "math")),
    *(("诗", "creative"), ("物語", "creative"), ("小说", "creative"), ("сказк", "creative")),
    *(("合同", "legal"), ("法律", "legal"), ("契約", "legal"), ("договор", "legal")),
    *(("患者", "medical"), ("症状", "medical"), ("血压", "medical"), ("пациент", "medical")),
    *(("股票", "finance"), ("发票", "finance"), ("財務", "finance"), ("财务", "finance")),
    *(("退款", "support"), ("订单", "support"), ("快递", "support"), ("返金", "support")),
    *(("元素", "science"), ("物理", "science"), ("化学", "science"), ("地球", "science")),
)
"""Phrases, words of writing systems without blanks, stems of inflected words: looked for anywhere
in a text in lower case."""

# Lower case and spaces for punctuation in one pass over bytes, many times quicker than over text.
_PUNCTUATION = b"\n\t\r.,;:!?()[]{}<>\"'`*#=/\\|+"
_FOLD = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" + _PUNCTUATION,
    b"abcdefghijklmnopqrstuvwxyz" + b" " * len(_PUNCTUATION),
)


def _by_word(groups: dict[Domain, str] | dict[Kind, str]) -> dict[bytes, tuple[str, ...]]:
    found: dict[bytes, list[str]] = {}
    for group, words in groups.items():
        for word in words.split():
            found.setdefault(word.encode(), []).append(group)
    return {word: tuple(names) for word, names in found.items()}


DOMAIN_OF = _by_word(_DOMAINS)
"""Word -> the domains it speaks for."""
KIND_OF = _by_word(_KINDS)
"""Word -> the kinds of work it speaks for."""

_DOMAIN_WORDS = frozenset(DOMAIN_OF)
_KIND_WORDS = frozenset(KIND_OF)
_TELLING_WORDS = _DOMAIN_WORDS | _KIND_WORDS | REASONING_WORDS
_PLAIN_CUES = tuple(cue for cue in CUES if cue[0].isascii())
_OTHER_CUES = tuple(cue for cue in CUES if not cue[0].isascii())


def telling_words_of(text: str) -> frozenset[bytes]:
    """The different words of a text that any group lists, in lower case, without punctuation.

    Those are few, so that what is done with them afterwards takes next to no time.
    """
    return _TELLING_WORDS.intersection(text.encode("utf-8", "ignore").translate(_FOLD).split())


def votes_of(lower: str) -> tuple[dict[str, int], dict[str, int]]:
    """How many words and phrases of a text in lower case speak for each kind and each domain."""
    words = telling_words_of(lower)
    cues = [group for cue, group in _PLAIN_CUES if cue in lower]
    if not lower.isascii():
        cues.extend(group for cue, group in _OTHER_CUES if cue in lower)
    kinds: dict[str, int] = {}
    for group in cues:
        kinds[group] = kinds.get(group, 0) + 1
    domains = kinds.copy()
    _count(words & _KIND_WORDS, KIND_OF, kinds)
    _count(words & _DOMAIN_WORDS, DOMAIN_OF, domains)
    return kinds, domains


def _count(
    words: Iterable[bytes], groups_of: Mapping[bytes, tuple[str, ...]], votes: dict[str, int]
) -> None:
    for word in words:
        for group in groups_of[word]:
            votes[group] = votes.get(group, 0) + 1
