/** Who may put a card in force where production data is: deployed again and again on the local runtime, as a team would. */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Client } from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { SAMPLE_DATA } from '../../examples/story';
import { AgentControls, CardApprover, OperatorDuty, OperatorRole, ScopeCard } from '../../lib';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { SignedApi } from '../../lambda/client/signed-api';
import { LocalRuntime } from '../../local/testing';
import { CARD_TEXT, SEND_EMAIL } from '../support/cards';
import { action } from '../support/stack';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-approval-'));
const cards = join(folder, 'cards');
mkdirSync(cards);
const file = join(cards, 'outreach-closer.yaml');
writeFileSync(file, CARD_TEXT);
writeFileSync(join(cards, 'second.yaml'), CARD_TEXT.replace('agent: outreach-closer', 'agent: second'));
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
writeFileSync(join(folder, 'key.pub.pem'), publicKey.export({ type: 'spki', format: 'pem' }));

let deploys = 0;
let assembly = '';
/** Synthesizes what lies in the folder. */
function synthesize(agents: readonly string[], environment = 'prod'): void {
  assembly = join(folder, `cdk.out-${(deploys += 1)}`);
  const app = new App({ outdir: assembly });
  const stack = new Stack(app, 'Approved');
  const controls = new AgentControls(stack, 'Controls', { environment, cardApprovers: [CardApprover.fromPublicKeyFile('appsec@example.com', join(folder, 'key.pub.pem'))] });
  controls.addAction('Send', { code: action(SEND_EMAIL) });
  new OperatorRole(stack, 'BreakGlass', { gate: controls.gate, duty: OperatorDuty.BREAK_GLASS, assumedBy: new iam.AccountRootPrincipal() });
  for (const name of agents) {
    const bot = new iam.Role(stack, `Bot-${name}`, { roleName: `bot-${name}`, assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    controls.addAgent(name, { card: ScopeCard.fromFile(join(cards, `${name}.yaml`)) }).grantStartRun(bot);
  }
  app.synth();
}
const deployed = async <T>(work: (runtime: LocalRuntime) => Promise<T>): Promise<T> => {
  await using runtime = await LocalRuntime.start({ assembly, folder: join(folder, 'local'), seed: SAMPLE_DATA });
  return await work(runtime); // before it is disposed of
};
const started = (runtime: LocalRuntime, agent = 'outreach-closer'): Promise<string> => runtime.startRun(agent, { text: 'Follow up' }).then(() => 'started', (error: unknown) => (error as { code?: string }).code ?? String(error));
const command = (...args: string[]): { status: number | null; stdout: string; stderr: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(__dirname, '..', '..', 'bin', 'agent-controls.js'), ...args], { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
  return { status, stdout, stderr };
};
const sign = (...more: string[]): ReturnType<typeof command> => command('scope', 'approve', file, '--as', 'appsec@example.com', '--key', join(folder, 'key.pem'), '--assembly', assembly, ...more);
const log = async (runtime: LocalRuntime, kinds: readonly string[]): Promise<Record<string, any>[]> => {
  const { host, port, database, superuser: user, password } = runtime.file.postgres;
  const client = new Client({ host, port, database, user, password });
  await client.connect();
  const { rows } = await client.query<{ kind: string; agent: string; facts: string; approver: string | null }>('select kind, agent, approver, facts from audit.entry where kind = any($1) order by at, seq', [kinds]);
  await client.end();
  return rows.map(({ kind, agent, facts, approver }) => ({ kind, agent, approver, ...(JSON.parse(facts) as object) }));
};
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a card on production data', () => {
  it('starts no run until its security owner signed it, and says so at synth and in the log', async () => {
    synthesize(['outreach-closer', 'second']);
    await deployed(async (runtime) => {
      expect(await started(runtime)).toBe('CardNotApproved');
      expect(await log(runtime, ['signers.registered'])).toMatchObject([{ signers: [{ name: 'appsec@example.com', key: expect.stringMatching(/^SHA256:/) }] }]);
      expect(await log(runtime, ['agent.registered', 'card.approved'])).toMatchObject([{ agent: 'outreach-closer', not_in_force: ['nobody has approved it; it asks for appsec@example.com'] }, { agent: 'second' }]);
    });
  });

  it('is signed on the command line by nobody else', () => {
    const mistaken = command('scope', 'approve', file, '--as', 'dana', '--key', join(folder, 'key.pem'), '--assembly', assembly);
    expect([mistaken.status, mistaken.stderr]).toEqual([2, expect.stringContaining('SignerNotOwner: "dana" approves nothing on the card of outreach-closer; it asks for appsec@example.com')]);
    const { status, stdout } = sign();
    expect([status, stdout]).toEqual([0, expect.stringContaining('appsec@example.com approves outreach-closer')]);
    expect(JSON.parse(readFileSync(join(cards, 'outreach-closer.approval.json'), 'utf8'))).toMatchObject({ agent: 'outreach-closer', actions: { send_email: expect.any(String) }, approvals: [{ by: 'appsec@example.com' }] });
    expect(command('scope', 'explain', file, '--assembly', assembly).stdout).toMatch(/Approved by appsec@example\.com on \d{4}-\d\d-\d\d with the key `SHA256:/);
  });

  it('starts runs once the signature is deployed; who signed which digest stands in the log', async () => {
    synthesize(['outreach-closer', 'second']);
    await deployed(async (runtime) => {
      expect([await started(runtime), await started(runtime, 'second')]).toEqual(['started', 'CardNotApproved']);
      expect(await log(runtime, ['card.approved'])).toMatchObject([{ agent: 'outreach-closer', approvals: [{ by: 'appsec@example.com', key: expect.stringMatching(/^SHA256:/) }], card_digest: expect.stringMatching(/^[0-9a-f]{64}$/) }]);

      const review = (...more: string[]): ReturnType<typeof command> => command('access', 'review', '--local', '--folder', join(folder, 'local'), '--json', ...more);
      const before = review();
      expect(before.status).toBe(1);
      expect(JSON.parse(before.stdout)).toMatchObject({ days: 90, agents: [{ agent: 'outreach-closer', approvedBy: 'appsec@example.com', lastReview: null, overdue: false, permissions: [{ rule: 'scope://outreach.send.cold/read/0', times: 0 }, { times: 0 }] }, { agent: 'second', approvedBy: null }] });
      expect(review('--agent', 'outreach-closer', '--as', 'eve', '--key', join(folder, 'key.pem')).stderr).toContain('SignerNotOwner: "eve" reviews nothing');
      expect(review('--agent', 'outreach-closer', '--as', 'appsec@example.com', '--key', join(folder, 'key.pem')).status).toBe(0);
      expect(JSON.parse(review('--agent', 'outreach-closer').stdout)).toMatchObject({ agents: [{ lastReview: { by: 'appsec@example.com' }, creep: [] }] });
      expect(await log(runtime, ['access.reviewed'])).toMatchObject([{ agent: 'outreach-closer', by: 'appsec@example.com', kept: ['scope://outreach.send.cold/read/0', 'scope://outreach.send.cold/call/0'] }]);
    });
  });

  it('that changed starts no run under the old signature; the difference is told in words', async () => {
    const before = join(folder, 'before.yaml');
    writeFileSync(before, readFileSync(file));
    writeFileSync(file, CARD_TEXT.replace('columns: [name,', 'columns: [email, name,'));
    const diff = command('scope', 'diff', before, file);
    expect([diff.status, diff.stdout]).toEqual([1, 'widened   scope://outreach.send.cold: reads leads.email\n']);
    expect([command('scope', 'diff', file, before).status, command('scope', 'diff', file, file).stdout]).toEqual([0, 'The cards say the same.\n']);
    synthesize(['outreach-closer', 'second']);
    await deployed(async (runtime) => {
      expect(await started(runtime)).toBe('CardNotApproved');
      const { agents } = JSON.parse(command('access', 'review', '--local', '--folder', join(folder, 'local'), '--json', '--agent', 'outreach-closer').stdout) as { agents: unknown };
      expect(agents).toMatchObject([{ creep: [{ kind: 'widened', sentence: 'scope://outreach.send.cold: reads leads.email' }] }]);
    });
  });

  it('is not in force by naming an environment of synthetic data', async () => {
    synthesize(['outreach-closer', 'second'], 'dev');
    await deployed(async (runtime) => expect(await started(runtime)).toBe('CardNotApproved'));
  });

  it('may be decided about with the break-glass role, and every use of that is told and recorded', async () => {
    await deployed(async (runtime) => {
      const { endpoint, region, account, api, principals, resources } = runtime.file;
      const { accessKeyId, secretAccessKey, sessionToken } = principals.operator;
      const { Credentials } = await new STSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' } }).send(new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${account}:role/agent-controls-break-glass`, RoleSessionName: 'operator' }));
      const keys = { accessKeyId: Credentials?.AccessKeyId ?? '', secretAccessKey: Credentials?.SecretAccessKey ?? '', sessionToken: Credentials?.SessionToken ?? '' };
      expect(await new SignedApi(api, region, () => Promise.resolve(keys)).send('GET', '/approvals')).toEqual({ holds: [] });
      const [entry] = await runtime.until(async () => {
        const entries = await log(runtime, ['app.break-glass']);
        return entries.length > 0 ? entries : undefined;
      });
      expect(entry).toMatchObject({ approver: principals.operator.arn, role: `arn:aws:iam::${account}:role/agent-controls-break-glass` });
      expect(readFileSync(resources.notifications, 'utf8')).toContain('break-glass used');
    });
  });

  it('that an older signature is under is not in force again once a later one was', async () => {
    const [wide, old] = [readFileSync(file, 'utf8'), readFileSync(join(cards, 'outreach-closer.approval.json'), 'utf8')];
    sign();
    synthesize(['outreach-closer', 'second']);
    await deployed(async (runtime) => expect(await started(runtime)).toBe('started'));
    writeFileSync(file, CARD_TEXT);
    writeFileSync(join(cards, 'outreach-closer.approval.json'), old); // restored from the repository's past
    synthesize(['outreach-closer', 'second']);
    await deployed(async (runtime) => {
      expect(await started(runtime)).toBe('CardNotApproved');
      expect((await log(runtime, ['agent.registered', 'card.withdrawn'])).at(-1)?.not_in_force).toEqual([expect.stringContaining('after this one; sign this one again')]);
    });
    writeFileSync(file, wide);
  });

  it('that disappears takes its agent along', async () => {
    sign();
    synthesize(['outreach-closer']);
    await deployed(async (runtime) => {
      expect(await started(runtime)).toBe('started');
      expect(await log(runtime, ['agent.removed'])).toMatchObject([{ agent: 'second', holds_cancelled: 0 }]);
      expect(Object.keys(runtime.file.principals.agents)).toEqual(['outreach-closer']);
      expect((await runtime.verifyAuditLog()).findings).toEqual([]);
    });
  });
});
