"""Labelled prompts, and the fitting of analysis's heads to them: see docs/analysis.md.

`prompts.jsonl` (text, kind, domain, language) and `passages.jsonl` (domain, text) were written for
this project. Domains of knowledge come from the subjects of MMLU as recorded outcomes hold them.
"""
