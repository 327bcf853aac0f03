"""Django's command line of a small shop."""  # noqa: INP001 - as startproject makes it

import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
execute_from_command_line(sys.argv)
