"""OpenAI Chat Completions, written and read for translation: `dialect` is where to begin.

Nothing is imported here: who passes such requests on needs a few small modules alone.
"""
