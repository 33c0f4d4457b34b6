"""Pages at `/` for people: what was spent and saved, requests, models, keys, policies.

Rendered here, from templates; imported when the first page is asked for.
"""
