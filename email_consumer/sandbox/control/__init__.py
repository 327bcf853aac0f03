"""The side of the sandbox that tests script and people look at; nothing here exists at AWS."""
