"""Alembic's own entry point: runs the steps on the connection that `migrations.upgrade` was given, and on no other."""

from alembic import context

from sre_bot.incidents.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
