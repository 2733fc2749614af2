/** Dark and light as the reader's system is; on paper, all of every table. Contrast is AA in both. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #57606a; --ground: #ffffff; --panel: #f6f8fa; --line: #d0d7de; --red: #b31d28; --yellow: #7d4e00; --violet: #6639ba; --green: #116329; --blue: #0550ae; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --quiet: #9ea7b3; --ground: #0d1117; --panel: #161b22; --line: #30363d; --red: #ff8182; --yellow: #e3b341; --violet: #cba6ff; --green: #56d364; --blue: #79c0ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header, main { max-width: 1200px; margin: 0 auto; padding: 0 16px; }
header { padding-top: 16px; border-top: 6px solid var(--blue); }
header.ok { border-color: var(--green); }
header.violations { border-color: var(--red); }
header.could_not_judge { border-color: var(--violet); }
h1 { font-size: 22px; margin: 8px 0; }
h2 { font-size: 18px; margin: 32px 0 8px; padding-bottom: 4px; border-bottom: 1px solid var(--line); }
h3 { font-size: 15px; margin: 0 0 4px; }
p, ul, dl { margin: 4px 0 8px; }
.lead { font-size: 17px; }
.quiet { color: var(--quiet); }
article { margin: 12px 0; padding: 12px; background: var(--panel); border: 1px solid var(--line); border-left: 4px solid var(--red); border-radius: 4px; }
article.dark { border-left-color: var(--violet); }
dt { font-weight: 600; }
dd { margin: 0 0 6px; }
.legend dd { margin: 2px 0 8px; }
.counts { display: flex; flex-wrap: wrap; gap: 4px 24px; padding: 0; list-style: none; }
.badge { display: inline-block; padding: 0 6px; border: 1px solid currentColor; border-radius: 3px; font-size: 13px; white-space: nowrap; color: var(--blue); }
.badge.critical { color: var(--red); }
.badge.major { color: var(--red); }
.badge.minor { color: var(--yellow); }
.badge.dark { color: var(--violet); }
.badge.well { color: var(--green); }
.note { color: var(--yellow); }
.frame { overflow-x: auto; margin: 8px 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: 4px 10px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; }
td { min-width: 60px; max-width: 420px; overflow-wrap: anywhere; }
td:first-child { min-width: 150px; }
th.number, .number { text-align: right; white-space: nowrap; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { margin: 4px 0; padding: 8px; background: var(--ground); border: 1px solid var(--line); border-radius: 4px; white-space: pre-wrap; user-select: all; }
.trend { display: block; }
.trend .none { fill: var(--green); }
.trend .found { fill: var(--red); }
.trend .hollow { fill: none; stroke: var(--violet); }
@media print {
  :root { --text: #000; --quiet: #333; --ground: #fff; --panel: #fff; --line: #999; }
  body { font-size: 11px; }
  .frame { overflow: visible; }
  article, tr { break-inside: avoid; }
}
`
