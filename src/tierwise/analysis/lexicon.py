"""Words that tell a domain or a kind of work: the first version's simple rules.

A word counts for the one group it is listed under; the group with most hits wins if it has enough.
"""

from __future__ import annotations

from tierwise.types import Domain, Kind

_DOMAINS: dict[Domain, str] = {
    "finance": """finance financial revenue earnings ebitda balance-sheet income-statement audit
        auditor accounting accounts gaap ifrs invoice invoices portfolio equity bond bonds dividend
        dividends shareholder shareholders fiscal tax taxes interest loan loans credit asset assets
        liabilities liability cash-flow profit margin quarterly bank banking investment investor
        stock stocks hedge inflation securities depreciation amortisation amortization ledger""",
    "legal": """legal law laws lawyer attorney court courts contract contracts clause clauses
        plaintiff defendant statute statutory liability jurisdiction compliance regulation
        regulatory gdpr hipaa tort litigation lawsuit lease tenant landlord patent copyright
        trademark indemnify indemnification nda arbitration breach judge verdict constitutional""",
    "medical": """patient patients diagnosis diagnose symptom symptoms disease dose dosage mg
        medication medications drug drugs clinical clinic doctor physician nurse hospital therapy
        treatment surgery tumor cancer diabetes insulin blood pressure antibiotic vaccine infection
        syndrome chronic acute anatomy renal cardiac pulmonary""",
    "science": """physics chemistry biology molecule molecules atom atoms electron energy force
        velocity acceleration gravity quantum thermodynamics enzyme protein cell cells dna gene
        genes evolution species ecosystem planet planets orbit chemical reaction element elements
        magnet magnetic photosynthesis experiment hypothesis astronomy geology sediment""",
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
        japanese chinese korean russian arabic dutch english""",
    "support": """refund order orders shipping delivery ticket tickets customer customers account
        password login subscription cancel cancellation complaint warranty replacement helpdesk
        support agent billing""",
}

_KINDS: dict[Kind, str] = {
    "summarisation": "summarise summarize summary tldr shorten condense digest recap",
    "translation": "translate translation translated",
    "classification": """classify classification categorise categorize category label sentiment
        spam intent positive negative""",
    "extraction": "extract extraction parse fields entities list-all find-all",
    "code": """refactor refactoring implement debug debugging def function bug unittest compile
        traceback script program code""",
    "math": "calculate compute solve equation how-many how-much sum product percent",
    "creative": """poem story slogan tagline lyrics haiku campaign pitch brainstorm screenplay
        limerick""",
    "reasoning": "prove deduce reason step-by-step logically puzzle riddle infer analyse analyze",
    "qa": "what who when where which why how explain",
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
