/** The reviewer's day: what is unusual is found, people practise, and all of it is in a folder that verifies. */
import { spawn } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Client } from 'pg';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { allFiles } from '../../bin/evidence/folder';
import { residency } from '../../bin/evidence/pages/residency';
import { CRITERIA } from '../../bin/evidence/soc2';
import { verifyFolder } from '../../bin/evidence/verify';
import { play, SAMPLE_DATA } from '../../examples/story';
import { DataClass, ModelProvider, ResidencyBoundary, VendorReview } from '../../lib';
import { publicKeys } from '../../lambda/audit/statement';
import { LocalRuntime } from '../../local/testing';
import { SEND_EMAIL } from '../support/cards';
import { cli, COMMAND } from '../support/cli';
import { accessibilityFaults, BROWSER, launch } from '../support/browser';

const root = join(__dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'agent-controls-evidence-'));
const out = join(folder, 'evidence');
let runtime: LocalRuntime;

const local = ['--local', '--folder', join(folder, 'local')];
const json = (name: string): { data: Record<string, unknown>; doesNotShow: string[]; local: boolean } => JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8')) as never;
const html = (name: string): string => readFileSync(join(out, `${name}.html`), 'utf8');
const keys = (): ReturnType<typeof publicKeys> => publicKeys([readFileSync(join(folder, 'key.pem'), 'utf8')]);

beforeAll(async () => {
  runtime = await LocalRuntime.start({ assembly: inject('assembly'), folder: join(folder, 'local'), seed: SAMPLE_DATA });
  await play(runtime, { doing: () => undefined, done: () => undefined });
  const pia = await runtime.person('pia', 'privacy');
  await pia.ask('POST', '/erasures', { subject: 'bo.lindqvist@contoso.example', reference: 'DSAR-7' });
  await pia.ask('POST', '/checkpoints', {});
  writeFileSync(join(folder, 'key.pem'), (await cli(['audit', 'keys', ...local])).stdout);
});
afterAll(async () => {
  await runtime.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('what is unusual', () => {
  it('was found while it happened, held from then on, and is listed with the rows it rests on', async () => {
    const { status, stdout } = await cli(['audit', 'findings', ...local, '--json']);
    const found = JSON.parse(stdout) as { rule: string; agent: string; response: string; value: number; decisions: string[] }[];
    expect(status).toBe(0);
    expect(found.find(({ rule }) => rule === 'bulk-writes')).toMatchObject({ agent: 'crm-tierer', response: 'hold', value: expect.any(Number) as number });
    expect(found.find(({ rule }) => rule === 'bulk-writes')?.decisions.length).toBeGreaterThanOrEqual(10);
    expect((await cli(['audit', 'findings', ...local, '--agent', 'refunder'])).stdout).toContain('Nothing unusual');
    expect((await cli(['audit', 'findings', ...local])).stdout).toContain('bulk-writes');
    const notices = readFileSync(runtime.file.resources.notifications, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { subject: string; message: Record<string, string> });
    // Ids and names alone leave the boundary.
    expect(notices.filter(({ subject }) => subject === 'anomaly found').map(({ message }) => Object.keys(message))[0]).toEqual(['finding', 'rule', 'agent', 'response']);
  });

  it('is held and let go by a person, and by nobody else', async () => {
    expect((await cli(['agent', 'hold', 'refunder', '--reason', 'look at it', ...local, '--json'])).stdout).toBe('{"cautious":true,"changed":true}\n');
    const run = await runtime.startAsked('refunder', { text: 'Refund 10.00 USD of ch_1001.' });
    const answer = await run.call('issue_refund', { charge_id: 'ch_1001', amount: { currency: 'USD', minorUnits: 1_000 } }, { reason: 'x', justification: 'y' });
    expect(answer).toMatchObject({ verdict: 'hold', reasons: expect.arrayContaining([expect.stringMatching(/^AnomalyFound/)]) as string[] });
    expect((await run.call('read_charges', { columns: ['id'] }, { reason: 'it reads on' })).verdict).toBe('permit');
    await expect((await runtime.person('pia', 'privacy')).ask('POST', '/agents/refunder/release', { reason: 'x' })).rejects.toMatchObject({ status: 403 });
    expect((await cli(['agent', 'release', 'refunder', '--reason', 'all is well', ...local])).stdout).toContain('Goes on as its card says: refunder');
    expect((await cli(['agent', 'release', 'refunder', '--reason', 'again', ...local])).stdout).toContain('Nothing changed');
  });
});

describe('agent-controls tabletop', () => {
  it('plays a wave, an exfiltration and a leaked key, and sees each answered with the real commands', async () => {
    const { status, stdout, stderr } = await cli(['tabletop', '--folder', join(folder, 'local'), '--auto', '--minutes', '2', '--json']);
    expect([status, stderr]).toEqual([0, expect.stringContaining('Mastered') as string]);
    const reports = JSON.parse(stdout) as { scenario: string; ok: boolean; steps: { ok: boolean; seconds: number | null }[] }[];
    expect(reports.map(({ scenario, ok }) => [scenario, ok])).toEqual([['wave', true], ['exfiltration', true], ['leaked-key', true]]);
    expect(reports.flatMap(({ steps }) => steps).every(({ ok, seconds }) => ok && seconds !== null)).toBe(true);
    expect(runtime.outbox().some(({ to }) => to.includes('competitor'))).toBe(false);
  }, 180_000);

  it('says so when nobody answers in time', async () => {
    const { status, stdout } = await cli(['tabletop', 'leaked-key', '--folder', join(folder, 'local'), '--minutes', '0.03', '--out', join(folder, 'late.json'), '--json']);
    expect([status, JSON.parse(stdout)]).toMatchObject([1, [{ ok: false, steps: [{ ok: false, seconds: null }, { ok: false, seconds: null }] }]]);
    expect((await cli(['tabletop', 'earthquake', '--folder', join(folder, 'local')])).stderr).toContain('ScenarioUnknown');
  }, 60_000);
});

describe('agent-controls runbook', () => {
  it('names who is on call, the levers as they are typed, the reverses, and whom to call outside', async () => {
    const { status, stdout } = await cli(['runbook', 'refunder', ...local]);
    expect(status).toBe(0);
    for (const text of ['payments-oncall', 'npx agent-controls agent disable refunder', 'rotate refunder --leaked', 'rollback --agent refunder --since 2h --plan', 'Example Payments', '+44 20 7946 0000', 'asks the bank for a recall', 'openai', 'limit `issue_refund`']) expect(stdout).toContain(text);
    expect((await cli(['runbook', '--out', join(folder, 'runbooks'), ...local])).stdout).toContain('4 runbooks');
    expect(existsSync(join(folder, 'runbooks', 'crm-tierer.html'))).toBe(true);
    expect((await cli(['runbook', 'nobody', ...local])).stderr).toContain('AgentUnknown');
  });
});

describe('agent-controls evidence', () => {
  it('writes pages, JSON beside them, and a signed manifest; goes on where it was interrupted', async () => {
    // What was not signed yet is not on the pages.
    await (await runtime.person('pia', 'privacy')).ask('POST', '/checkpoints', {});
    // Begun, and killed in the middle.
    await new Promise<void>((resolve) => {
      const child = spawn(process.execPath, [COMMAND, 'evidence', '--out', out, '--assembly', inject('assembly'), ...local], { cwd: tmpdir(), env: { PATH: process.env.PATH ?? '' } });
      const watching = setInterval(() => { if (existsSync(join(out, '02-access.html')) && existsSync(join(out, '.progress.json'))) child.kill('SIGKILL'); }, 5);
      child.on('close', () => { clearInterval(watching); resolve(); });
    });
    expect(existsSync(join(out, 'manifest.json'))).toBe(false);
    expect((await cli(['evidence', 'verify', out])).status).toBe(2);
    const first = statSync(join(out, '01-scope-cards.html')).mtimeMs;
    const { status, stdout, stderr } = await cli(['evidence', '--out', out, '--assembly', inject('assembly'), ...local, '--json']);
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({ out, local: true, statement: expect.stringMatching(/^evidence\/[0-9a-f]{64}\.json$/) as string });
    expect(statSync(join(out, '01-scope-cards.html')).mtimeMs).toBe(first);
    expect(statSync(join(out, '01-scope-cards.html')).mode & 0o077).toBe(0);
    expect((await cli(['evidence', '--out', out, ...local])).stderr).toContain('is evidence already');
    expect((await cli(['evidence', '--out', root, ...local])).stderr).toContain('holds files that are no evidence');
    expect((await cli(['evidence', ...local])).stderr).toContain('FolderMissing');
    const made = (await runtime.decisions()).length;
    expect(made).toBeGreaterThan(20);
  }, 120_000);

  it('verifies with a pinned key, and says whose key it was otherwise', async () => {
    const pinned = await cli(['evidence', 'verify', out, '--key', join(folder, 'key.pem')]);
    expect([pinned.status, pinned.stdout]).toEqual([0, expect.stringMatching(/As it was made[\s\S]*a key you pinned[\s\S]*local runtime/) as string]);
    expect((await cli(['evidence', 'verify', out])).stdout).toContain('the key that lies in the folder itself');
    expect(JSON.parse((await cli(['evidence', 'verify', out, '--json', '--key', join(folder, 'key.pem')])).stdout)).toMatchObject({ ok: true, proofs: 10, problems: [] });
  });

  it('fails after any byte of it changes, and when a file is added, taken away or swapped', () => {
    expect(verifyFolder(out, keys()).problems).toEqual([]);
    let state = 7;
    const random = (below: number): number => { state = (state * 1_103_515_245 + 12_345) % 2_147_483_648; return state % below; };
    for (const path of allFiles(out)) {
      const before = readFileSync(join(out, path));
      for (const at of [0, random(before.length), before.length - 1]) {
        const changed = Buffer.from(before);
        changed[at] = (changed[at] ?? 0) ^ 1;
        writeFileSync(join(out, path), changed);
        expect(verifyFolder(out, keys()).ok, `${path} at ${at}`).toBe(false);
      }
      writeFileSync(join(out, path), before);
    }
    writeFileSync(join(out, 'extra.html'), 'x');
    expect(verifyFolder(out, keys()).problems).toEqual(['extra.html was not there when the folder was made']);
    rmSync(join(out, 'extra.html'));
    const page = readFileSync(join(out, 'index.html'));
    rmSync(join(out, 'index.html'));
    expect(verifyFolder(out, keys()).problems).toEqual(['index.html is gone']);
    writeFileSync(join(out, 'index.html'), page);
    expect(verifyFolder(out, keys()).ok).toBe(true);
  });

  it('does not believe a folder that somebody else made and signed', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const { signed } = await import('../../lambda/audit/statement');
    const { sign } = await import('node:crypto');
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const forged = join(folder, 'forged');
    cpSync(out, forged, { recursive: true });
    const { statement } = JSON.parse(readFileSync(join(out, 'signature.json'), 'utf8')) as { statement: never };
    writeFileSync(join(forged, 'signature.json'), `${JSON.stringify(await signed(statement, (digest) => Promise.resolve(sign(null, digest, privateKey))), null, 2)}\n`);
    writeFileSync(join(forged, 'signing-key.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    expect(verifyFolder(forged, keys()).problems).toContain('signature.json is not signed by a key that counts');
  });

  it('tells the story of the agent that misbehaved: found, held, rolled back, killed, and brought back', () => {
    expect(html('12-findings')).toMatch(/bulk-writes<\/code><\/td>\s*<td>crm-tierer/);
    expect(json('12-findings').data.answers).toEqual(expect.arrayContaining([expect.objectContaining({ kind: 'agent.cautioned', agent: 'crm-tierer' }), expect.objectContaining({ kind: 'agent.disabled', agent: 'crm-tierer' }), expect.objectContaining({ kind: 'agent.trusted-again', agent: 'crm-tierer' })]));
    expect(json('12-findings').data.tabletops).toHaveLength(3);
    const { rollbacks, reversals } = json('07-reverses').data as { rollbacks: { agent: string }[]; reversals: { outcome: string }[] };
    expect([rollbacks.some(({ agent }) => agent === 'crm-tierer'), reversals.filter(({ outcome }) => outcome === 'executed').length >= 11]).toEqual([true, true]);
    const { stops } = json('09-kill-switch').data as { stops: { agent: string; facts: { outcome: string; levers: { state: string }[] } }[] };
    expect(stops.some(({ agent, facts }) => agent === 'crm-tierer' && facts.outcome === 'proven' && facts.levers.every(({ state }) => state === 'proven'))).toBe(true);
    expect(html('05-rotation')).toMatch(/agent\/refunder/);
    expect(html('11-retention')).toContain('DSAR-7');
    expect(html('08-residency')).toContain('Example Acquiring Bank');
  });

  it('says on every page what that does not show, and that it is local', () => {
    const pages = allFiles(out).filter((path) => path.endsWith('.html'));
    expect(pages).toEqual(expect.arrayContaining(['index.html', 'soc2.html', '09-kill-switch.html', 'runbooks/crm-tierer.html']));
    for (const page of pages) expect(readFileSync(join(out, page), 'utf8'), page).toMatch(/This is the evidence of a local runtime[\s\S]*does not show/);
  });

  it('is of a log whose kinds of entries are all written down', async () => {
    const { host, port, database, superuser: user, password } = runtime.file.postgres;
    const client = new Client({ host, port, database, user, password });
    await client.connect();
    const { rows } = await client.query<{ kind: string }>("select distinct kind from audit.entry where kind not like 'app.%'");
    await client.end();
    const written = readFileSync(join(root, 'docs', 'audit-format.md'), 'utf8');
    expect(rows.length).toBeGreaterThan(25);
    expect(rows.map(({ kind }) => kind).filter((kind) => !written.includes(`\`${kind}\``))).toEqual([]);
  });

  it('holds what each artifact is to hold', () => {
    const { population, sample, verification } = json('03-decisions').data as { population: number; sample: { status: string; because: string }[]; verification: { ok: boolean } };
    expect([population > 50, sample.length, verification.ok]).toEqual([true, 10, true]);
    expect(sample.map(({ because }) => because)).toEqual(expect.arrayContaining(['denied', 'expired', 'undoes another']));
    const cards = json('01-scope-cards').data as unknown as { card: { agent: string }; digest: string; reviewBy: string }[];
    expect(cards.map(({ card }) => card.agent)).toEqual(['contract-clerk', 'crm-tierer', 'outreach-closer', 'refunder']);
    expect(json('02-access').data).toMatchObject({ refused: [], permissions: expect.arrayContaining([expect.objectContaining({ agent: 'refunder', verb: 'call' })]) as unknown });
    expect((json('02-access').data.reviews as { agent: string; approvedBy: string; permissions: { times: number }[] }[]).map(({ agent, permissions }) => [agent, permissions.length > 0])).toEqual(cards.map(({ card }) => [card.agent, true]));
    expect(json('02-access').data.unproven).toEqual(expect.any(Array));
    expect(json('04-holds').data.shown).toMatchObject({ status: 'executed' });
    const [staged, approved] = ['hold.staged', 'hold.approved'].map((kind) => (json('04-holds').data.entries as { kind: string; approver: string | null; facts: { digest: string; signed_in?: string } }[]).find((entry) => entry.kind === kind));
    expect(approved).toMatchObject({ approver: expect.any(String) as string, facts: { digest: staged?.facts.digest, signed_in: expect.stringContaining('mfa') as string } });
    expect((json('09-kill-switch').data.stops as { facts: { stopSeconds?: number; levers?: { seconds: number }[] } }[]).flatMap(({ facts }) => facts.levers ?? []).map(({ seconds }) => typeof seconds)).toEqual(expect.arrayContaining(['number']));
    expect((json('10-changes').data.entries as { kind: string; agent: string; facts: { card_digest?: string } }[]).filter(({ kind }) => kind === 'agent.registered').map(({ agent, facts }) => [agent, facts.card_digest]).sort()).toEqual(cards.map(({ card, digest }) => [card.agent, digest]));
    expect((json('05-rotation').data.leaks as { facts: { report: { exposures: unknown[] } } }[])[0]?.facts.report.exposures.length).toBeGreaterThan(0);
    expect((json('06-injection').data.reasons as { reason: string }[]).map(({ reason }) => reason)).toContain('ProvenanceUnknown');
    expect((json('10-changes').data.versions as unknown[]).length).toBeGreaterThan(5);
    expect((json('10-changes').data.templates as { digest: string }[])[0]?.digest).toMatch(/^[0-9a-f]{64}$/);
    for (const name of allFiles(out).filter((path) => /^\d\d-.*\.json$/.test(path)).map((path) => path.replace('.json', ''))) {
      expect(json(name).doesNotShow.length, name).toBeGreaterThan(0);
      expect(json(name).local, name).toBe(true);
      expect(html(name), name).toContain('of a local runtime');
      expect(html(name), name).toContain('What this page does not show');
    }
    for (const { criterion, pages, met } of CRITERIA) {
      expect(pages.length > 0, criterion).toBe(met !== 'not');
      for (const name of pages) expect(existsSync(join(out, `${name}.html`)), `${criterion} names ${name}`).toBe(true);
    }
  });

  it('shows a vendor whose review is over, and one that nobody has named', async () => {
    const vendor = { name: 'Mailer Inc.', dataClasses: ['contact'], subProcessors: [], review: { by: 'appsec@example.com', until: '2026-01-31' }, escalation: 'support@mailer.example' };
    const rows = (sql: string): Promise<Record<string, unknown>[]> => Promise.resolve(sql.includes('audit.action') ? [{ ...SEND_EMAIL, vendor }, { ...SEND_EMAIL, name: 'send_fax' }].map((manifest) => ({ manifest: JSON.stringify(manifest) })) : sql.includes('as today') ? [{ today: '2026-11-28' }] : []);
    const provider = (providerName: string, vendorReview?: VendorReview) => ModelProvider.bedrock({ providerName, modelId: 'anthropic.claude', clearedFor: [DataClass.PUBLIC], ...(vendorReview ? { vendorReview } : {}) });
    const { _policy: policy } = new ResidencyBoundary(new Stack(new App(), 'Test', { env: { region: 'eu-central-1' } }), 'Residency', {
      regions: ['eu-central-1'], owner: 'privacy@example.com', reviewBy: '2999-12-31', providers: [provider('inside', { reviewedBy: 'appsec@example.com', reviewUntil: '2026-02-28', escalation: 'support@models.example' }), provider('plain')],
    });
    const { markdown } = await residency.make({ log: { rows: async (sql: string) => (sql.includes('audit.residency') ? [{ policy: JSON.stringify(policy) }] : rows(sql)) }, period: {} } as never);
    expect(markdown.join('\n')).toMatch(/send_email.*Mailer Inc.*\*\*2026-01-31, over\*\*[\s\S]*send_fax.*\*\*nobody has named it\*\*[\s\S]*model inside.*Amazon Web Services.*\*\*2026-02-28, over\*\*[\s\S]*model plain.*\*\*nobody has named it\*\*/);
  });

  it('is of a period, and takes along the report of an injection suite', async () => {
    const report = join(folder, 'injection.json');
    writeFileSync(report, JSON.stringify({ 'first-exposure': { bank: { cases: 144, success: 0, partial: 0, tasks: 16, unattended: 11, benignDenied: 0, holds: 5 } } }));
    const later = join(folder, 'later');
    expect((await cli(['evidence', '--out', later, '--to', '2001-01-01', '--injection', report, ...local])).status).toBe(0);
    expect(JSON.parse(readFileSync(join(later, 'manifest.json'), 'utf8'))).toMatchObject({ from: null, until: '2001-01-01' });
    expect((await cli(['evidence', '--out', join(folder, 'never'), '--from', '2999-01-01', ...local])).stderr).toContain('PeriodEmpty');
    expect((await cli(['evidence', '--out', join(folder, 'never'), '--from', '2026-01-01T10:00', ...local])).stderr).toContain('TimeInvalid');
    expect(readFileSync(join(later, '06-injection.html'), 'utf8')).toMatch(/first-exposure[\s\S]*144[\s\S]*0\.31/);
    expect((JSON.parse(readFileSync(join(later, '12-findings.json'), 'utf8')) as { data: { findings: unknown[] } }).data.findings).toEqual([]);
    expect(readFileSync(join(later, '02-access.html'), 'utf8')).toContain('no synthesized app was given');
  }, 60_000);

  it('is made through the Data API as on an account', async () => {
    const environment = Object.fromEntries([...(await cli(['local', 'env', 'auditor', '--folder', join(folder, 'local')])).stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name as string, value as string]));
    const { status, stderr } = await cli(['evidence', '--out', join(folder, 'deployed'), '--assembly', inject('assembly')], { ...environment, AWS_ENDPOINT_URL: runtime.file.endpoint, AGENT_CONTROLS_URL: runtime.file.api });
    expect([status, stderr]).toEqual([0, '']);
    expect(verifyFolder(join(folder, 'deployed'), keys()).ok).toBe(true);
  }, 120_000);

  it('says that there is nothing to rest on where nothing is anchored', async () => {
    mkdirSync(join(folder, 'nowhere'));
    copyFileSync(join(folder, 'key.pem'), join(folder, 'nowhere', 'key.pem'));
    expect((await cli(['evidence', 'verify', join(folder, 'nowhere')])).stderr).toContain('EvidenceMissing');
  });
});

describe.skipIf(BROWSER === undefined)('the folder, in a browser', () => {
  let browser: Browser;
  beforeAll(async () => { browser = await launch(); });
  afterAll(() => browser.close());

  it('opens without a server, asks nobody for anything, and has no faults that axe finds', async () => {
    const page = await browser.newPage({ viewport: { width: 794, height: 1_123 } /* A4 */ });
    const asked: string[] = [];
    const faults: string[] = [];
    page.on('request', (request) => { if (!request.url().startsWith(`file://${out}/`)) asked.push(request.url()); });
    page.on('pageerror', (error) => faults.push(error.message));
    for (const path of allFiles(out).filter((name) => name.endsWith('.html'))) {
      await page.goto(`file://${join(out, path)}`);
      expect(await page.title(), path).not.toBe('');
      expect(await accessibilityFaults(page), path).toEqual([]);
      await page.emulateMedia({ media: 'print' });
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), `${path} fits on paper`).toBeLessThanOrEqual(0);
      await page.emulateMedia({ media: 'screen' });
      if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${path.replaceAll('/', '-')}.png`) });
    }
    await page.goto(`file://${join(out, 'index.html')}`);
    for (const name of ['Decisions', 'Evidence', 'SOC 2', 'Evidence']) await page.getByRole('link', { name, exact: true }).first().click();
    expect([asked, faults]).toEqual([[], []]);
    await page.close();
  }, 120_000);
});
