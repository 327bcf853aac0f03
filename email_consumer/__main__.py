"""`python -m email_consumer` is the same as the command `email-consumer`."""

from email_consumer.cli import main

if __name__ == "__main__":
    main(prog_name="email-consumer")
