import { writeFileSync } from 'node:fs';
import Table from 'cli-table3';
import { Command } from 'commander';
import { ProofFile, prove, ProvenEntry, verifyProof } from '../../../lambda/audit/proof';
import { keyFingerprint } from '../../../lambda/audit/statement';
import { LogOptions, openLog, withLog } from '../../log';
import { bold, green } from '../../terminal';
import { KeyOptions, keysOf, pinnedOr, readJson, withKeys } from './keys';

/** `agent-controls audit prove`, `verify-proof`, `keys`. */
export function proofCommands(): Command[] {
  return [
    withKeys(withLog(new Command('prove')))
      .description('Writes a file that proves one decision: its entries, and how each leads to a signed checkpoint.')
      .argument('<decision>', 'id of the decision')
      .option('--out <file>', 'file to write; proof-<decision>.json otherwise')
      .action(write),
    withKeys(new Command('verify-proof'))
      .description('Verifies a proof from its file and public keys alone; no database, no account.')
      .argument('<file>', 'what prove wrote')
      .option('--json', 'print JSON on standard output')
      .addHelpText('after', '\nExit codes: 0 it proves what it says, 1 it does not, 2 it could not be read.')
      .action(check),
    withLog(new Command('keys'))
      .description('Prints the public key that signs statements, as PEM, for whoever wants to pin it, and its fingerprint on standard error.')
      .option('--out <file>', 'write the key to a file')
      .action(keys),
  ];
}

async function write(decision: string, options: LogOptions & KeyOptions & { readonly out?: string }): Promise<void> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(decision)) throw new Error(`the id of a decision is expected, got ${decision}; agent-controls audit search lists them`);
  const log = await openLog(options);
  try {
    const { bucket, keys } = await pinnedOr(log, options.key);
    const proof = await prove(log, bucket, keys, decision);
    verifyProof(proof, keys);
    const file = options.out ?? `proof-${decision}.json`;
    writeFileSync(file, `${JSON.stringify(proof, null, 2)}\n`, { mode: 0o600 });
    if (options.json) process.stdout.write(`${JSON.stringify({ file, entries: proof.entries.length })}\n`);
    else process.stdout.write(`${green('Proved')}: ${proof.entries.length} entries of decision ${decision}, in ${file}.\nIt holds what the decision held. Whoever has the public key checks it with agent-controls audit verify-proof ${file} --key KEY.pem\n`);
  } finally {
    await log.close();
  }
}

function check(file: string, options: KeyOptions & { readonly json?: true }): void {
  if (options.key.length === 0) throw new Error('--key is needed: a proof is worth what its signature is; the public key comes from whoever you trust, not with the proof');
  const keys = keysOf(options.key);
  const proof = readJson(file) as ProofFile;
  let entries: ProvenEntry[];
  try {
    entries = verifyProof(proof, keys);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('ProofInvalid')) throw error;
    if (options.json) process.stdout.write(`${JSON.stringify({ ok: false, problem: error.message })}\n`);
    else process.stdout.write(`${error.message}\n`);
    process.exitCode = 1;
    return;
  }
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ok: true, decision: proof.decision, entries })}\n`);
    return;
  }
  const table = new Table({ head: ['at, UTC', 'kind', 'agent', 'action', 'outcome', 'approver', 'login', 'checkpoint'].map((text) => bold(text)), style: { head: [], border: [] } });
  table.push(...entries.map((entry) => [entry.at.replace('T', ' ').slice(0, 23), entry.kind, entry.agent ?? '', entry.action ?? '', entry.outcome ?? '', entry.approver ?? '', entry.login, `${entry.checkpoint.number} of ${entry.checkpoint.at.slice(0, 19).replace('T', ' ')}`]));
  process.stdout.write(`${table.toString()}\n${green('The proof holds')}: these ${entries.length} entries of decision ${proof.decision} were in the log ${entries[0]?.log ?? ''} when their checkpoints were signed.\nIt does not show that there are no others: whoever wrote the file may have left some out.${entries.some(({ erased }) => erased) ? ' Payload that was erased is not in it.' : ''}\n`);
}

async function keys(options: LogOptions & { readonly out?: string }): Promise<void> {
  const log = await openLog(options);
  try {
    const { key } = await log.statements();
    const pem = key.export({ type: 'spki', format: 'pem' }).toString();
    const fingerprint = keyFingerprint(key);
    if (options.out !== undefined) writeFileSync(options.out, pem);
    if (options.json) process.stdout.write(`${JSON.stringify({ fingerprint, pem })}\n`);
    else if (options.out === undefined) process.stdout.write(pem);
    process.stderr.write(`fingerprint ${fingerprint}\n`);
  } finally {
    await log.close();
  }
}
