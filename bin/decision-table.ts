import Table from 'cli-table3';

/** A decision with the columns a reviewer asks for. */
export interface DecisionRow {
  readonly time: string;
  readonly agent: string;
  readonly runId: string;
  readonly decision: string;
  readonly inputsHash: string | null;
  readonly inputs: unknown;
  readonly model: string | null;
  readonly outputHash: string | null;
  readonly output: unknown;
  readonly downstreamWrites: readonly string[];
  readonly authorizedBy: string | null;
  readonly status: string;
}

const short = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** Inputs with what was seen as the decisions it came from, whose rows stand above. */
function inputsText(inputs: unknown): string {
  if (typeof inputs !== 'object' || inputs === null) return '';
  const { reason, request, saw, ...more } = inputs as { reason?: string; request?: string; saw?: object };
  return JSON.stringify({ reason, ...more, saw: Object.keys(saw ?? {}).map((id) => id.slice(0, 8)), request });
}

/** Decisions as a table of the reviewer's columns. Long values are cut to fit; `--json` has them whole. */
export function decisionTable(rows: readonly DecisionRow[], width = process.stdout.columns ?? 200): string {
  const fixed = [10, 10, 9, 10, 11, 0, 10, 11, 0, 17, 14, 8];
  const wide = Math.max(16, Math.floor((Math.max(width, 180) - fixed.reduce((sum, each) => sum + each + 3, 1)) / 2));
  const table = new Table({
    head: ['time', 'agent', 'run_id', 'decision', 'inputs_hash', 'inputs', 'model', 'output_hash', 'output', 'downstream_writes', 'authorized_by', 'status'],
    colWidths: fixed.map((each) => (each || wide) + 2), wordWrap: true, wrapOnWordBoundary: false, style: { head: [], border: [], 'padding-left': 1, 'padding-right': 1 },
  });
  const most = wide * 6;
  for (const row of rows) {
    table.push([
      row.time.replace('T', ' ').replace('Z', ''), row.agent, row.runId.replace('run-', '').slice(0, 8), row.decision, (row.inputsHash ?? '').slice(0, 8), short(inputsText(row.inputs), most), row.model ?? '',
      (row.outputHash ?? '').slice(0, 8), short(JSON.stringify(row.output), most), row.downstreamWrites.map((write) => short(write, 34)).join('\n'), row.authorizedBy ?? '', row.status,
    ]);
  }
  return table.toString();
}
