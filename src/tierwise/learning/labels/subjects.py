"""Which of our domains each of MMLU's 57 subjects belongs to (Hendrycks et al., 2021)."""

from __future__ import annotations

from tierwise.types import Domain

_SUBJECTS: dict[Domain, str] = {
    "finance": """econometrics high_school_macroeconomics high_school_microeconomics
        professional_accounting""",
    "legal": "international_law jurisprudence professional_law",
    "medical": """anatomy clinical_knowledge college_medicine human_aging medical_genetics nutrition
        professional_medicine virology""",
    "science": """astronomy college_biology college_chemistry college_physics conceptual_physics
        electrical_engineering high_school_biology high_school_chemistry high_school_physics""",
    "mathematics": """abstract_algebra college_mathematics elementary_mathematics formal_logic
        high_school_mathematics high_school_statistics""",
    "code": """college_computer_science computer_security high_school_computer_science
        machine_learning""",
    "general": """business_ethics global_facts high_school_european_history high_school_geography
        high_school_government_and_politics high_school_psychology high_school_us_history
        high_school_world_history human_sexuality logical_fallacies management marketing
        miscellaneous moral_disputes moral_scenarios philosophy prehistory professional_psychology
        public_relations security_studies sociology us_foreign_policy world_religions""",
}

DOMAIN_OF_SUBJECT: dict[str, Domain] = {
    subject: domain for domain, subjects in _SUBJECTS.items() for subject in subjects.split()
}
"""MMLU subject -> domain. Economics counts as finance; the humanities, psychology and politics,
which no domain of ours covers, as general."""
