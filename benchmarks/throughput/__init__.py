"""Our whole pipeline and its peers side by side: CPU per mail, mails a second, memory."""
