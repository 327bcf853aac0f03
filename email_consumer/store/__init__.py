"""The SQLite database: connections, migrations, one writer, and tables shared by several packages."""
