"""Who may spend what: organisations, teams, users, their keys and budgets, in the database."""
