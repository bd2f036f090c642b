import { prove, verifyProof } from '../../../lambda/audit/proof';
import { searchDecisions } from '../../../lambda/audit/search';
import { keyFingerprint } from '../../../lambda/audit/statement';
import { verifyLog } from '../../../lambda/audit/verify-log';
import { code, table, text } from '../../../lib/scope/markdown';
import { said, when } from '../entries';
import type { Material, PageMaker } from '../page';

/** How many decisions are shown. */
const SAMPLE = 10;

interface Chosen { readonly decision: string; readonly because: string }

/** Control 2: real decisions with their proofs, and whether the whole log verifies. */
export const decisions: PageMaker = {
  name: '03-decisions',
  async make(of) {
    const { log, bucket, keys, progress, checkpoint } = of;
    const { population, sample } = await chosen(of);
    const rows: Record<string, unknown>[] = [];
    const files: Record<string, string> = {};
    for (const { decision, because } of sample) {
      progress(`proving decision ${rows.length + 1} of ${sample.length}`);
      const proof = await prove(log, bucket, keys, decision);
      verifyProof(proof, keys);
      files[`proofs/${decision}.json`] = `${JSON.stringify(proof, null, 2)}\n`;
      const [row] = await searchDecisions(log, { decision }, 1);
      rows.push({ because, ...row });
    }
    progress('verifying the log');
    const report = await verifyLog(log, { controlsName: log.controlsName, bucket, keys, pinned: false, progress });
    const cell = (row: Record<string, unknown>, name: string): string => text(said(row[name] ?? ''));
    return {
      title: 'Decisions',
      shows: `${rows.length} decisions of ${population} with everything the log holds of them, each with a proof that verifies without this system; and the verification of the whole log.`,
      markdown: [
        '## The log verifies', '',
        ...table(['verifies', 'entries', 'payloads', 'checkpoints', 'newer than the newest', 'key fingerprint'], [[report.ok ? 'yes' : `**no: ${report.findings.length} findings**`, said(report.entries), said(report.payloads), `${report.checkpoints.read} of ${report.checkpoints.known}`, said(report.unanchored), keys.map((key) => code(keyFingerprint(key))).join(', ')]]), '',
        ...report.findings.map(({ sentence }) => `- **${text(sentence)}**`),
        '## The sample', '',
        `Population: ${population} decisions up to checkpoint ${checkpoint.number}. Sample: ${rows.length}. One that was denied, one that expired and one that undoes another are always among them, where there are such; the others are those whose ids come first when hashed with that checkpoint: no agent can choose them, and whoever makes such a folder could only wait for another checkpoint.`, '',
        ...table(['time', 'agent', 'decision', 'status', 'under', 'approver', 'reference', 'why it is here', 'proof'], rows.map((row) => [when(said(row.time)), cell(row, 'agent'), cell(row, 'decision'), cell(row, 'status'), cell(row, 'authorized_by'), cell(row, 'approver'), cell(row, 'reference'), cell(row, 'because'), `[proof](proofs/${said(row.decision_id)}.json)`])), '',
        '`agent-controls audit verify-proof FILE --key signing-key.pem` verifies one, given the key from whoever you trust.', '',
        ...rows.flatMap((row) => [`### ${cell(row, 'decision')} of ${cell(row, 'agent')}, ${when(said(row.time))}`, '', ...table(['column', 'value'], ['run_id', 'inputs_hash', 'inputs', 'model', 'output_hash', 'output', 'downstream_writes', 'authorized_by', 'verdict', 'reasons', 'versions', 'status'].map((name) => [code(name), text(said(row[name] ?? '').slice(0, 1_500))])), '']),
      ],
      data: { population, sample: rows, verification: report },
      hides: ['Other decisions: a sample of ten finds what happens often, not what happened once.', 'That what a proof holds is all there is: whoever made the folder could have left entries out of a proof, never changed one.'],
      files,
    };
  },
};

async function chosen({ log, period: { from = '-infinity', until }, checkpoint: { databaseAt, digest } }: Material): Promise<{ population: number; sample: Chosen[] }> {
  // Younger ones have no proof yet.
  const values = { from, until, anchored: databaseAt };
  const within = 'e.at >= :from::timestamptz and e.at < :until::timestamptz and e.at <= :anchored::timestamptz';
  const [count] = await log.rows(`select count(*)::int as count from audit.entry e where e.kind = 'call.intent' and ${within}`, values);
  const first = async (because: string, sql: string): Promise<Chosen[]> => (await log.rows(`${sql} and ${within} and e.decision_id is not null order by md5(e.decision_id::text || :seed) limit 1`, { ...values, seed: digest })).map((row) => ({ decision: said(row.decision_id), because }));
  const named = [
    ...await first('denied', "select e.decision_id from audit.entry e where e.kind = 'call.intent' and e.outcome = 'deny'"),
    ...await first('expired', "select e.decision_id from audit.entry e where e.kind = 'hold.expired' and e.outcome = 'expired'"),
    ...await first('undoes another', "select e.decision_id from audit.entry e where e.kind = 'call.intent' and e.run_id like 'rollback-%' and e.action <> 'rollback'"),
  ];
  const others = await log.rows(`select e.decision_id from audit.entry e where e.kind = 'call.intent' and ${within} order by md5(e.decision_id::text || :seed) limit ${SAMPLE}`, { ...values, seed: digest });
  const sample = [...named, ...others.map((row) => ({ decision: said(row.decision_id), because: 'at random' }))];
  return { population: Number(count?.count ?? 0), sample: sample.filter(({ decision }, index) => sample.findIndex((other) => other.decision === decision) === index).slice(0, SAMPLE) };
}
