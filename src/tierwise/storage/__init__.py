"""The database behind the ledger and the accounts: SQLite by default, PostgreSQL by URL."""
