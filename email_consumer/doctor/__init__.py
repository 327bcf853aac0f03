"""Tells what is wrong with an installation, in plain words, and how to mend it. Looks at everything, changes nothing.

`examination` runs the checks, one file each; every check answers `Finding`s.
"""
