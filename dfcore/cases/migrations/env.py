"""Run by alembic: applies changes within the transaction that `dfcore.cases.migrate` holds."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
