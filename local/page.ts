import type { Pool } from 'pg';

type Cell = string | null | undefined;

const escape = (value: Cell): string => (value ?? '').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** A cell; long JSON is folded behind its beginning. */
function shown(cell: Cell): string {
  return cell && cell.length > 60 && cell.startsWith('{') ? `<details><summary>${escape(cell.slice(0, 50))}…</summary><pre>${escape(JSON.stringify(JSON.parse(cell), null, 2))}</pre></details>` : escape(cell);
}

/** What a browser shows of a local runtime: who waits for whom, and the latest decisions. It reads, and has nothing to press. */
export async function statusPage(postgres: Pool, facts: { readonly evaluates: boolean; readonly now: Date }): Promise<string> {
  const holds = await postgres.query<{ hold_id: string; agent: string; action: string; hold_until: Date; approvers: string[] }>(
    "select hold_id, agent, action, hold_until, approvers from hold.hold where status = 'pending' order by hold_until limit 50");
  const decisions = await postgres.query<Record<string, string | null>>(
    "select to_char(time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as time, agent, run_id, decision, status, authorized_by, approver, inputs::text, output::text, downstream_writes::text from audit.decision order by audit.decision.time desc limit 50");
  const row = (cells: readonly Cell[]): string => `<tr>${cells.map((cell) => `<td>${shown(cell)}</td>`).join('')}</tr>`;
  const table = (heads: readonly string[], rows: readonly (readonly Cell[])[], none: string): string => (rows.length === 0 ? `<p>${none}</p>`
    : `<div class="wide"><table><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead><tbody>${rows.map(row).join('')}</tbody></table></div>`);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Agent controls, local</title><meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.85rem}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent);max-width:24rem}pre{white-space:pre-wrap;overflow-wrap:anywhere;min-width:18rem}summary{cursor:pointer;overflow-wrap:anywhere;min-width:14rem}
p.note{opacity:.8}</style></head><body><main><h1>Agent controls on this machine</h1>
<p class="note">A local runtime for evaluation: it is no production log. ${facts.evaluates ? 'Requests are authorised against the synthesized policies.' : '<strong>Authorisation is not evaluated</strong>: no policy evaluator is installed.'} Its clock says ${escape(facts.now.toISOString())}.</p>
<h2>Waiting for a person</h2>${table(['hold', 'agent', 'action', 'until', 'approvers'], holds.rows.map((hold) => [hold.hold_id, hold.agent, hold.action, hold.hold_until.toISOString(), hold.approvers.join(', ') || 'any approver group']), 'Nothing waits.')}
<h2>Latest decisions</h2>${table(['time', 'agent', 'run', 'decision', 'status', 'authorized by', 'approver', 'inputs', 'output', 'downstream writes'],
    decisions.rows.map((d) => [d.time, d.agent, d.run_id, d.decision, d.status, d.authorized_by, d.approver, d.inputs, d.output, d.downstream_writes]), 'No agent has called yet.')}
</main></body></html>`;
}
