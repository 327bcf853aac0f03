"""The style sheet of the sandbox's pages; colours follow the reader's light or dark preference."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --ink: #22252b; --faint: #6b7280; --line: #e3e1dc; --card: #ffffff; --accent: #b4540a;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181d; --ink: #e6e4df; --faint: #9aa1ad; --line: #2c3038; --card: #1d2026; --accent: #f2a65a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header { padding: .7rem 1.5rem; border-bottom: 1px solid var(--line); color: var(--accent); font-weight: 600; }
main { max-width: 80rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
h1 { font-size: 1.4rem; margin: .5rem 0; overflow-wrap: anywhere; }
p, time, code, .files { color: var(--faint); }
a { color: inherit; text-decoration-color: var(--accent); text-underline-offset: .2em; }
a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); }
th, td { padding: .45rem .75rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; }
th { color: var(--faint); font-weight: 500; font-size: .85rem; white-space: nowrap; }
time { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font-size: .8rem; }
.fields th { width: 10rem; }
.empty { padding: 3rem; text-align: center; border: 1px dashed var(--line); }
iframe { width: 100%; height: 32rem; margin-top: 1rem; border: 1px solid var(--line); background: #fff; }
pre { padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card);
  border: 1px solid var(--line); }
@media (max-width: 45rem) {
  main { padding: 1rem .75rem; }
  table, tbody, tr, td { display: block; border: 0; padding: .1rem .4rem; }
  thead { display: none; }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
}
"""
