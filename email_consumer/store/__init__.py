"""The SQLite file that several stages keep their tables in: connections, migrations, one writer."""
