"""Writes the templates into a directory, deploy/aws by default."""

import sys
from pathlib import Path

from email_consumer.aws_setup.templates.cloudformation import cloudformation
from email_consumer.aws_setup.templates.terraform import terraform

FILES = {"cloudformation.json": cloudformation, "terraform/main.tf": terraform}


def write(directory: Path) -> None:
    """Write each file."""
    for name, generate in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generate())


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "deploy/aws"))
