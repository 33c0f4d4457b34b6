"""Runs migrations on the connection that `storage.migrate` hands over."""

from alembic import context

from tierwise.storage.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    # Their names of constraints hold in migrations too.
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
