"""Style sheet and script of the sandbox's pages; colours follow the reader's light or dark preference."""

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f4f6f9; --card: #fff; --text: #17202e; --dim: #5b6779; --line: #dfe5ec; --field: #fff;
  --accent: #2563eb; --good: #166534; --warn: #b45309; --warn-fill: #fdf3e3; --bad: #b91c1c; --plain-fill: #edf1f6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f141b; --card: #18202a; --text: #e4e9f0; --dim: #97a3b4; --line: #2a3542; --field: #121922;
    --accent: #6ea8fe; --good: #4ade80; --warn: #fbbf24; --warn-fill: #362a14; --bad: #f87171; --plain-fill: #232d39;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
header, main { max-width: 1880px; margin: 0 auto; padding: 10px 20px 0; }
main { padding-bottom: 24px; }
.head { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; }
.name { font-size: 18px; font-weight: 700; }
.mode { font-size: 12px; padding: 3px 9px; border-radius: 6px; background: var(--warn-fill); color: var(--warn); border: 1px solid; margin-right: auto; }
.find { flex: 0 1 420px; display: flex; gap: 6px; margin: 0; }
.find input { flex: 1; min-width: 0; }
nav { display: flex; gap: 2px; margin-top: 8px; border-bottom: 1px solid var(--line); }
nav a { padding: 8px 13px 6px; text-decoration: none; color: var(--dim); border-bottom: 3px solid transparent; }
nav a[aria-current] { color: var(--text); border-bottom-color: var(--accent); font-weight: 600; }
h1 { font-size: 18px; margin: 12px 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 8px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; margin: 0 0 14px; }
.columns { display: grid; gap: 14px; align-items: start; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.dim, time, code, .files span { color: var(--dim); }
.error { color: var(--bad); }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
button, input, select { font: inherit; color: inherit; background: var(--field); border: 1px solid var(--line);
  border-radius: 7px; padding: 6px 12px; min-height: 36px; }
button { cursor: pointer; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--card); font-weight: 600; }
button.danger { color: var(--bad); }
.fields { display: flex; flex-wrap: wrap; gap: 8px; align-items: end; margin: 0 0 10px; }
.fields label { display: grid; gap: 2px; font-size: 13px; color: var(--dim); flex: 1 1 150px; }
.fields label.choice { display: flex; gap: 6px; align-items: center; flex: 0 0 auto; font-size: 15px; color: var(--text); min-height: 36px; }
.fields .choice input { min-height: 0; }
.fields input, .fields select { font-size: 15px; color: var(--text); min-width: 0; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 5px 12px 5px 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
thead th, thead td { border-top: 0; }
thead th, td button { white-space: nowrap; }
th { color: var(--dim); font-weight: 400; font-size: 13px; }
td form { margin: 0; }
time { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font-size: 13px; }
.pairs th { width: 160px; }
.empty { padding: 40px; text-align: center; border: 1px dashed var(--line); border-radius: 10px; }
iframe { width: 100%; height: 32rem; border: 1px solid var(--line); border-radius: 8px; background: #fff; color-scheme: light; }
pre { margin: 0; padding: 10px 12px; max-height: 32rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--plain-fill); border-radius: 8px; font-size: 13px; }
summary { cursor: pointer; }
@media (max-width: 600px) {
  header, main { padding-left: 12px; padding-right: 12px; }
  .find { order: 1; flex-basis: 100%; }
  .card { padding: 12px; }
  .stacked, .stacked tbody, .stacked tr, .stacked td { display: block; border: 0; padding: 1px 0; }
  .stacked thead { display: none; }
  .stacked tr { padding: 8px 0; border-bottom: 1px solid var(--line); }
  .pairs th { width: 100px; }
}
@media print { nav, form, .mode { display: none !important; } .card { border: 0; padding: 0; } }
"""

SCRIPT = """
// Refreshes what is marked as live, while it is looked at and nothing in it has the focus.
const live = () => document.querySelector("[data-live]");
const refresh = async () => {
  const shown = live();
  if (document.hidden || !shown || shown.contains(document.activeElement)) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
  if (next && next.innerHTML !== shown.innerHTML) shown.replaceWith(document.adoptNode(next));
};
if (live()) setInterval(refresh, 2000);
"""
