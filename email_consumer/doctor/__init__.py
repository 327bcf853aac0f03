"""Checks an installation and suggests fixes, in plain words. Changes nothing.

`examination` runs the checks, one file each; every check answers `Finding`s.
"""
