"""A model of Amazon SES: what it accepts, refuses and answers, and what happens to requests and answers on the way."""
