"""Words that tell a domain or a kind of work: the first version's simple rules.

A word counts for the one group it is listed under; the group with most hits wins if it has enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tierwise.analysis.stems import LATIN, OTHER_SCRIPT, SCRIPTS, Stems
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
    *(("wie sagt man", "translation"), ("comment dit-on", "translation")),
    ("cómo se dice", "translation"),
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
)
"""Phrases, looked for anywhere in a text in lower case; `stems` has those of other languages."""

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
_ENGLISH = frozenset(
    b"the and what how this that with which from you your for why who where are have there write"
    b" does should would not explain between".split()
)
"""Words that hardly an English text does without, and that languages of `stems` do not have."""
_STEM_VOTES = 4
"""What a stem counts for a domain: the embedding, which knows English, outvotes a single word."""


def telling_words_of(text: str) -> frozenset[bytes]:
    """The different words of a text that any group lists, in lower case, without punctuation.

    Those are few, so that what is done with them afterwards takes next to no time.
    """
    return _TELLING_WORDS.intersection(_split(text))


def _split(text: str) -> list[bytes]:
    return text.encode("utf-8", "ignore").translate(_FOLD).split()


def stems_for(lower: str) -> tuple[Stems, ...]:
    """The stems of other languages to look for in a text in lower case: those of its scripts.

    Those of the Latin script only where no word tells that the text is English.
    """
    others: tuple[Stems, ...] = ()
    if not lower.isascii() and OTHER_SCRIPT.search(lower):
        others = tuple(of for chars, of in SCRIPTS if chars.search(lower))
    if others or " the " in lower or not _ENGLISH.isdisjoint(_split(lower)):
        return others
    return (LATIN,)


def votes_of(lower: str, stems: Iterable[Stems] = ()) -> tuple[dict[str, int], dict[str, int]]:
    """How many words and phrases of a text in lower case speak for each kind and each domain."""
    words = telling_words_of(lower)
    kinds: dict[str, int] = {}
    for cue, group in CUES:
        if cue in lower:
            kinds[group] = kinds.get(group, 0) + 1
    domains = kinds.copy()
    for of_script in stems:
        for told in of_script.groups(lower):
            kinds[told] = kinds.get(told, 0) + 1
            domains[told] = domains.get(told, 0) + _STEM_VOTES
    _count(words & _KIND_WORDS, KIND_OF, kinds)
    _count(words & _DOMAIN_WORDS, DOMAIN_OF, domains)
    return kinds, domains


def _count(
    words: Iterable[bytes], groups_of: Mapping[bytes, tuple[str, ...]], votes: dict[str, int]
) -> None:
    for word in words:
        for group in groups_of[word]:
            votes[group] = votes.get(group, 0) + 1
