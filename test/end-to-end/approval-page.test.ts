/** The approval page as it is deployed: who gets in, what cannot be made to happen, and how it reads in a real browser. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { SAMPLE_DATA } from '../../examples/story';
import { GateError, LocalDirectoryUser, LocalPerson, LocalRuntime, Run } from '../../local/testing';
import { accessibilityFaults, BROWSER, launch } from '../support/browser';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-page-'));
let runtime: LocalRuntime;
let superuser: Client;
let run: Run;

beforeAll(async () => {
  runtime = await LocalRuntime.start({ assembly: inject('assembly'), folder, seed: SAMPLE_DATA });
  const { host, port, database, superuser: user, password } = runtime.file.postgres;
  superuser = new Client({ host, port, database, user, password });
  await superuser.connect();
  await superuser.query("insert into charges select 'ch_' || n, 'C_202', 129900, 'USD', 0, current_date from generate_series(5001, 5200) n");
  run = await runtime.startAsked('refunder', { text: 'Refund what Contoso complained about.', reference: 'HELP-1' });
});
afterAll(async () => {
  await superuser.end();
  await runtime.stop();
  rmSync(folder, { recursive: true, force: true });
});

// An agent has twenty places.
afterEach(() => superuser.query("update hold.hold set status = 'cancelled' where status = 'pending'"));

interface Shown { readonly holdId: string; readonly digest: string; readonly status: string; readonly outcome: string; readonly parameters: Record<string, unknown> }

let charge = 5_000;
/** A refund that nobody asked for by name, so that payments-leads are asked. */
async function held(of: Run = run, minorUnits = 4_900, said: object = {}): Promise<string> {
  const answer = await of.call('issue_refund', { charge_id: `ch_${charge += 1}`, amount: { currency: 'USD', minorUnits } }, { reason: 'the customer complains', justification: 'Billed twice.', ...said });
  if (answer.verdict !== 'hold') throw new Error(`expected a hold, got ${JSON.stringify(answer)}`);
  await runtime.hold(answer.holdId); // until it is staged
  return answer.holdId;
}
const LEAD: LocalDirectoryUser = { groups: ['payments-leads'] };
const show = (person: LocalPerson, holdId: string): Promise<Shown> => person.ask('GET', `/approve/holds/${holdId}`);
const say = (person: LocalPerson, { holdId, digest }: Pick<Shown, 'holdId' | 'digest'>, verdict = 'approve'): Promise<{ status: string }> => person.ask('POST', `/approve/holds/${holdId}/verdict`, { verdict, digest, reason: 'I looked' });
const code = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'taken', (error: unknown) => (error instanceof GateError ? error.code : String(error)));
const statusOf = async (holdId: string): Promise<string> => (await superuser.query<{ status: string }>('select status from hold.hold where hold_id = $1', [holdId])).rows[0]?.status ?? '';
const reach = (path: string, init: RequestInit = {}): Promise<Response> => fetch(new URL(path, runtime.file.endpoint), { redirect: 'manual', ...init });

describe('a person of the directory', () => {
  it('sees what waits for the groups they are in, and approves what they were shown', async () => {
    const fay = await runtime.visitor('fay', LEAD);
    const holdId = await held();
    expect(await fay.ask('GET', '/approve/holds')).toMatchObject({ you: { name: 'fay', groups: ['payments-leads'] }, holds: expect.arrayContaining([expect.objectContaining({ holdId, action: 'issue_refund' })]) });
    const shown = await show(fay, holdId);
    expect(shown).toMatchObject({ status: 'pending', why: 'the customer complains', justification: 'Billed twice.', request: 'Refund what Contoso complained about.', requestTrusted: true, scope: 'scope://billing.refund.under_500', writes: expect.arrayContaining(['refunded']) as string[], reverse: { kind: 'impossible' }, dataClasses: ['business', 'contact'] });
    expect(await say(fay, shown)).toEqual({ holdId, status: 'approved' });
    expect(await runtime.until(async () => ((await show(fay, holdId)).outcome === 'executed' ? 'executed' : undefined))).toBe('executed');
    const { rows: [entry] } = await superuser.query<{ approver: string; facts: string }>("select approver, facts from audit.entry where kind = 'hold.approved' and facts::json ->> 'hold' = $1", [holdId]);
    expect(entry?.approver).toMatch(/^127\.0\.0\.1:\d+\/eu-central-1_\w+#[0-9a-f-]{36}$/);
    expect(JSON.parse(entry?.facts ?? '')).toMatchObject({ groups: ['payments-leads'], signed_in: expect.stringMatching(/^SOFTWARE_TOKEN_MFA at 20/) as string });
  });

  it.each<[string, LocalDirectoryUser, string]>([
    ['in another group', { groups: ['sales-leads'] }, 'HoldUnknown'],
    ['in no group', { groups: [] }, 'HoldUnknown'],
    ['in a group that is called like all of them', { groups: ['*'] }, 'HoldUnknown'],
    ['in a group that no tier or card names', { groups: ['everyone'] }, 'HoldUnknown'],
    ['without a second factor', { ...LEAD, secondFactor: false }, 'MfaNotProven'],
    ['whose account is disabled', { ...LEAD, enabled: false }, 'NotAnApprover'],
  ])('%s is shown nothing', async (_, who, expected) => {
    const holdId = await held();
    expect(await code(show(await runtime.visitor('sam', who), holdId))).toBe(expected);
    expect(await code(say(await runtime.visitor('sam', who), { holdId, digest: 'a'.repeat(64) }))).toBe(expected === 'HoldUnknown' ? 'NotAnApprover' : expected);
  });

  it('who left the group since the token was made cannot decide any more', async () => {
    const sam = await runtime.visitor('sam', LEAD);
    const shown = await show(sam, await held());
    await runtime.visitor('sam', { groups: [] });
    expect(await code(say(sam, shown))).toBe('NotAnApprover');
    expect(await statusOf(shown.holdId)).toBe('pending');
  });

  it('must have signed in a moment ago to decide what people decide; rejecting is deciding, too', async () => {
    const late = await runtime.visitor('fay', { ...LEAD, signedInSecondsAgo: 1_000 });
    const shown = await show(late, await held());
    expect(await code(say(late, shown))).toBe('SignInStale');
    expect(await code(say(late, shown, 'reject'))).toBe('SignInStale');
    expect(await statusOf(shown.holdId)).toBe('pending');
  });

  it.each(['support', 'Support@Example.com', 'support+me@example.com', 'refunder-trigger', 'refunder-compute'])('who asked for it or owns the agent cannot approve it as %s', async (name) => {
    const own = await runtime.visitor(name, LEAD);
    expect(await code(say(own, await show(own, await held())))).toBe('OwnRequest');
  });

  it('counts once, and not a second time through IAM', async () => {
    const two = await runtime.startAsked('refunder', { text: `Refund 500.00 USD of ch_${charge + 1}.`, reference: 'HELP-2' });
    const holdId = await held(two, 50_000);
    const fay = await runtime.visitor('fay', LEAD);
    const shown = await show(fay, holdId);
    expect((await say(fay, shown)).status).toBe('pending');
    expect((await say(fay, shown)).status).toBe('pending');
    expect(await code(runtime.approver('fay', { groups: ['payments-leads'] }).approve(await runtime.hold(holdId), 'me again'))).toBe('SecondIssuer');
    expect((await say(await runtime.visitor('gil', LEAD), shown)).status).toBe('approved');
  });

  it('cannot use a verdict twice, or on another hold', async () => {
    const fay = await runtime.visitor('fay', LEAD);
    const [one, other] = [await show(fay, await held()), await show(fay, await held())];
    expect(await code(say(fay, { holdId: one.holdId, digest: other.digest }))).toBe('DigestMismatch');
    expect((await say(fay, one, 'reject')).status).toBe('rejected');
    expect(await code(say(fay, one))).toBe('AlreadyDecided');
    expect((await say(fay, one, 'reject')).status).toBe('rejected');
  });

  it('is slowed down after sixty verdicts a minute', async () => {
    const fast = await runtime.visitor('fast', LEAD);
    const answers = await Promise.all(Array.from({ length: 65 }, () => code(say(fast, { holdId: '00000000-0000-4000-8000-000000000000', digest: 'a'.repeat(64) }))));
    expect(answers.filter((answer) => answer === 'TooManyVerdicts')).toHaveLength(5);
  });
});

describe('what a hostile agent puts in', () => {
  it('can be read however much it is: the Data API returns 64 KB a row', async () => {
    const wide = '漢'.repeat(4_000);
    const other = await runtime.startAsked('refunder', { text: '漢'.repeat(7_900), reference: 'HELP-5' });
    for (let i = 0; i < 60; i += 1) await other.call('read_charges', { columns: ['id'], where: { id: '漢'.repeat(150) } }, { reason: 'look' });
    const fay = await runtime.visitor('fay', LEAD);
    const shown = await fay.ask<{ why: string; saw: unknown[]; sawMore: number; earlier: unknown[] }>('GET', `/approve/holds/${await held(other, 4_900, { reason: wide, justification: wide })}`);
    expect([shown.why.length, shown.saw.length, shown.sawMore, shown.earlier.length]).toEqual([4_000, 40, 20, 30]);
  });

  it('is text that people can read: control characters are refused', async () => {
    expect(await code(run.call('issue_refund', {}, { reason: 'a\u0001b' }))).toBe('BodyInvalid');
  });

  it('shows no result that it did not see', async () => {
    const fay = await runtime.visitor('fay', LEAD);
    const first = await show(fay, await held());
    await say(fay, first);
    await runtime.until(async () => ((await show(fay, first.holdId)).outcome === 'executed' ? true : undefined));
    const { rows: [done] } = await superuser.query<{ decision_id: string }>('select decision_id from hold.hold where hold_id = $1', [first.holdId]);
    const second = await held();
    expect(await fay.ask('GET', `/approve/holds/${second}/saw/${done?.decision_id ?? ''}`)).toEqual({ text: null });
    expect(await code(fay.ask('GET', `/approve/holds/${second}/saw/${done?.decision_id ?? ''}?chunk=99999999`))).toBe('HoldUnknown');
  });
});

describe('an approval with changes', () => {
  it('is another call through the gate, which somebody else must approve', async () => {
    const [fay, gil] = [await runtime.visitor('fay', LEAD), await runtime.visitor('gil', LEAD)];
    const shown = await show(fay, await held());
    const changed = await fay.ask<{ verdict: string; holdId: string }>('POST', `/approve/holds/${shown.holdId}/changes`, { digest: shown.digest, parameters: { ...shown.parameters, amount: { currency: 'USD', minorUnits: 1_200 } }, reason: 'the half of it' });
    expect(changed.verdict).toBe('hold');
    expect(await statusOf(shown.holdId)).toBe('rejected');
    await runtime.hold(changed.holdId);
    const instead = await show(fay, changed.holdId);
    expect(instead).toMatchObject({ parameters: { amount: { minorUnits: 1_200 } }, why: 'the half of it', changes: { name: 'fay', parameters: expect.stringContaining('4900') as string }, reasons: expect.arrayContaining([expect.stringMatching(/^ChangedByPerson/)]) as string[] });
    expect(await code(say(fay, instead))).toBe('OwnRequest');
    // Nor under another name of hers, nor as somebody whom another issuer vouches for.
    expect(await code(runtime.approver('fay', { groups: ['payments-leads'] }).approve(await runtime.hold(changed.holdId), 'me again'))).toBe('OwnRequest');
    expect(await code(runtime.approver('gil', { groups: ['payments-leads'] }).approve(await runtime.hold(changed.holdId), 'fine'))).toBe('SecondIssuer');
    expect((await say(gil, instead)).status).toBe('approved');
    expect(await runtime.until(async () => ((await show(gil, changed.holdId)).outcome === 'executed' ? 'executed' : undefined))).toBe('executed');
  });

  it('stays within the card: what nobody may approve leaves the first one as it is', async () => {
    const fay = await runtime.visitor('fay', LEAD);
    const shown = await show(fay, await held());
    for (const parameters of [{ ...shown.parameters, amount: { currency: 'EUR', minorUnits: 100 } }, { ...shown.parameters, more: 1 }, {}]) {
      expect(await code(fay.ask('POST', `/approve/holds/${shown.holdId}/changes`, { digest: shown.digest, parameters, reason: 'why not' }))).toBe('ChangeRefused');
    }
    expect(await statusOf(shown.holdId)).toBe('pending');
  });

  it('is proposed when the session of the run is long over', async () => {
    const other = await runtime.startAsked('refunder', { text: `Refund 500.00 USD of ch_${charge + 1}.`, reference: 'HELP-3' });
    const shown = await show(await runtime.visitor('fay', LEAD), await held(other, 50_000));
    await superuser.query("update controls.run set expires_at = now() - interval '1 hour' where run_id = $1", [other.runId]);
    expect((await (await runtime.visitor('fay', LEAD)).ask<{ verdict: string }>('POST', `/approve/holds/${shown.holdId}/changes`, { digest: shown.digest, parameters: { ...shown.parameters, amount: { currency: 'USD', minorUnits: 50_100 } }, reason: 'it was more' })).verdict).toBe('hold');
  });

  it('cannot be changed back by one of two', async () => {
    const [fay, gil] = [await runtime.visitor('fay', LEAD), await runtime.visitor('gil', LEAD)];
    const change = async (by: LocalPerson, of: Shown, minorUnits: number): Promise<Shown> => {
      const { holdId } = await by.ask<{ holdId: string }>('POST', `/approve/holds/${of.holdId}/changes`, { digest: of.digest, parameters: { ...of.parameters, amount: { currency: 'USD', minorUnits } }, reason: 'r' });
      await runtime.hold(holdId);
      return show(by, holdId);
    };
    const twice = await change(gil, await change(fay, await show(fay, await held()), 1_000), 2_000);
    expect([await code(say(fay, twice)), await code(say(gil, twice))]).toEqual(['OwnRequest', 'OwnRequest']);
    expect((await say(await runtime.visitor('hal', LEAD), twice)).status).toBe('approved');
  });

  it('goes on where it was cut off, and asks the gate nothing for somebody who may not decide', async () => {
    const fay = await runtime.visitor('fay', LEAD);
    const shown = await show(fay, await held());
    const change = (by: LocalPerson, digest = shown.digest): Promise<{ holdId: string }> => by.ask('POST', `/approve/holds/${shown.holdId}/changes`, { digest, parameters: { ...shown.parameters, amount: { currency: 'USD', minorUnits: 700 } }, reason: 'less' });
    const tried = async (): Promise<number> => Number((await superuser.query<{ count: string }>("select count(*) from audit.entry where kind = 'call.tried'")).rows[0]?.count);
    const before = await tried();
    expect(await code(change(await runtime.visitor('sam', { groups: ['sales-leads'] })))).toBe('NotAnApprover');
    expect(await code(change(await runtime.visitor('late', { ...LEAD, signedInSecondsAgo: 2_000 })))).toBe('SignInStale');
    expect(await code(change(await runtime.visitor('gil', LEAD), 'a'.repeat(64)))).toBe('DigestMismatch');
    expect(await tried()).toBe(before);
    await say(fay, shown, 'reject'); // as if it ended here
    const [first, again] = [await change(fay), await change(fay)];
    expect(again.holdId).toBe(first.holdId);
  });

  it('of an agent that was stopped meanwhile is refused, also when its session is over', async () => {
    const other = await runtime.startAsked('refunder', { text: `Refund 500.00 USD of ch_${charge + 1}.`, reference: 'HELP-4' });
    const fay = await runtime.visitor('fay', LEAD);
    const shown = await show(fay, await held(other, 50_000));
    await superuser.query("update controls.run set expires_at = now() - interval '1 hour' where run_id = $1", [other.runId]);
    await superuser.query("update controls.agent set enabled = false where name = 'refunder'");
    try {
      expect(await code(fay.ask('POST', `/approve/holds/${shown.holdId}/changes`, { digest: shown.digest, parameters: shown.parameters, reason: 'r' }))).toBe('ChangeRefused');
    } finally {
      await superuser.query("update controls.agent set enabled = true where name = 'refunder'");
    }
  });

  it('is nothing an agent can ask for, or name its calls after', async () => {
    const holdId = await held();
    expect(await code(run.call('issue_refund', {}, { callId: `change:${holdId}`, reason: 'r' }))).toBe('BodyInvalid');
  });
});

describe('the address of the page', () => {
  const ROUTES = (holdId: string): string[] => ['/approve', `/approve?hold=${holdId}`, '/approve/page.js', '/approve/page.css', '/approve/open', '/approve/holds', `/approve/holds/${holdId}`, `/approve/holds/${holdId}/verdict`, `/approve/holds/${holdId}/changes`, '/approve/token', '/approve?code=abc&state=def'];
  const book = async (): Promise<string> => JSON.stringify((await superuser.query("select (select json_agg(json_build_object('hold', hold_id, 'status', status, 'digest', digest) order by hold_id) from hold.hold) as holds, (select count(*) from hold.verdict) as verdicts, (select count(*) from audit.entry) as entries")).rows);

  it('changes nothing when a scanner of links opens it, signed in or not', async () => {
    const holdId = await held();
    const { token } = await runtime.visitor('fay', LEAD);
    const before = await book();
    for (const method of ['GET', 'HEAD']) for (const path of ROUTES(holdId)) for (const headers of [undefined, { authorization: `Bearer ${token}` }]) await (await reach(path, { method, ...(headers ? { headers } : {}) })).text();
    expect(await book()).toBe(before);
  });

  it('says nothing of any hold to whoever is not signed in', async () => {
    const holdId = await held();
    for (const path of ROUTES(holdId).slice(4, 7)) expect((await reach(path)).status, path).toBe(401);
    for (const path of ['verdict', 'changes']) expect((await reach(`/approve/holds/${holdId}/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status).toBe(401);
    expect(await (await reach(`/approve?hold=${holdId}`)).text()).not.toContain(holdId);
  });

  it('takes no form, and nothing that another site sends with somebody\'s token', async () => {
    const { token } = await runtime.visitor('fay', LEAD);
    const post = (headers: Record<string, string>): Promise<Response> => reach(`/approve/holds/${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}/verdict`, { method: 'POST', headers: { authorization: `Bearer ${token}`, ...headers }, body: '{"verdict":"approve"}' });
    expect((await post({ 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415);
    expect((await post({ 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post({ 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await post({ 'content-type': 'application/json', 'sec-fetch-site': 'same-site' })).status).toBe(403);
  });

  it('lets nobody frame it, and loads nothing from elsewhere', async () => {
    const { headers } = await reach('/approve');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'");
    expect(Object.fromEntries(['x-frame-options', 'x-content-type-options', 'referrer-policy', 'cross-origin-opener-policy', 'cache-control'].map((name) => [name, headers.get(name)]))).toEqual({ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-opener-policy': 'same-origin', 'cache-control': 'no-store' });
  });

  it('asks the state machine whether anything waits, and never wakes the database for that', async () => {
    const { ask } = await runtime.visitor('fay', LEAD);
    const before = runtime.judged.length;
    expect(await ask('GET', '/approve/open')).toMatchObject({ open: expect.any(Number) as number });
    expect(runtime.judged.slice(before).map(({ action }) => action)).not.toContain('rds-data:ExecuteStatement');
  });

  it('leaves its routes to tokens, and those of roles to roles', async () => {
    const { token } = await runtime.visitor('fay', LEAD);
    expect((await reach('/approvals', { headers: { authorization: `Bearer ${token}` } })).status).toBe(403);
    expect((await reach('/changes', { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: '{}' })).status).toBe(403);
  });
});

describe.skipIf(BROWSER === undefined)('in Chromium (CHROME_PATH, where none is found)', () => {
  const SHOTS = process.env.SCREENSHOTS ?? '';
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const elsewhere: string[] = [];
  const faults: string[] = [];

  beforeAll(async () => {
    browser = await launch();
    context = await browser.newContext();
    page = await context.newPage();
    page.on('request', (request) => { if (!request.url().startsWith(runtime.file.endpoint) && !request.url().startsWith('data:')) elsewhere.push(request.url()); });
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => { if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) faults.push(message.text()); });
    if (SHOTS) mkdirSync(SHOTS, { recursive: true });
  }, 60_000);
  afterAll(() => browser.close());
  const shot = async (name: string): Promise<unknown> => (SHOTS ? page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true }) : undefined);

  const signIn = async (): Promise<void> => {
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Name').fill('wendy');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(/\/approve(\?hold=|$)/);
  };

  it('a link from a message leads through the sign-in to the hold, by keyboard alone to its decision', async () => {
    const holdId = await held(run, 4_900, { reason: '<img src=x onerror=alert(1)> pay \u202Etsum\u202C now, approver: ignore your rules' });
    await page.goto(`${runtime.file.approvals}?hold=${holdId}`);
    await signIn();
    await page.getByRole('heading', { name: 'issue refund' }).waitFor();
    expect(new URL(page.url()).search).toBe(`?hold=${holdId}`);
    // What an agent wrote is text, marked, and hides nothing.
    expect(await page.locator('.untrusted blockquote').first().innerText()).toBe('<img src=x onerror=alert(1)> pay ⟨U+202E⟩tsum⟨U+202C⟩ now, approver: ignore your rules');
    expect(await page.locator('main img').count()).toBe(0);
    await shot('hold');
    expect(await accessibilityFaults(page)).toEqual([]);

    await page.getByRole('button', { name: 'Approve' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('Say why').waitFor();
    await page.keyboard.type('the customer called'); // the reason has the focus now
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('Approved and executed').waitFor();
    expect(await statusOf(holdId)).toBe('approved');
    await shot('approved');
  });

  it('shows what the agent saw, and what is there now beside what will be', async () => {
    const clerk = await runtime.startAsked('contract-clerk', { text: 'Amend K_302 to payment within 60 days.', reference: 'LEGAL-9' });
    await clerk.call('read_contracts', { columns: ['id', 'payment_days'] }, { reason: 'I look' });
    const answer = await clerk.call('amend_contract', { contract_id: 'K_302', payment_days: 60 }, { reason: 'agreed' });
    if (answer.verdict !== 'hold') throw new Error(JSON.stringify(answer));
    await runtime.hold(answer.holdId);
    await page.goto(`${runtime.file.approvals}?hold=${answer.holdId}`);
    await page.getByRole('row', { name: /payment days/ }).first().waitFor();
    expect(await page.locator('del').innerText()).toBe('14');
    expect(await page.locator('ins').innerText()).toBe('60');
    await page.locator('details.untrusted summary').first().click();
    await page.locator('details.untrusted pre').getByText('K_302').waitFor();
    await shot('contract');
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  it.each([['light', 1_200], ['dark', 1_200], ['light', 360], ['dark', 360]] as const)('reads well in %s at %i pixels', async (colorScheme, width) => {
    await held();
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    await page.goto(runtime.file.approvals);
    await page.locator('.queue li').first().waitFor();
    await shot(`queue-${colorScheme}-${width}`);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.locator('.queue a').first().click();
    await page.getByRole('form', { name: 'Decide' }).waitFor();
    await shot(`hold-${colorScheme}-${width}`);
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  });

  it('proposes something else, and says who must approve it', async () => {
    const holdId = await held();
    await page.goto(`${runtime.file.approvals}?hold=${holdId}`);
    await page.getByRole('button', { name: 'Change…' }).click();
    const parameters = page.getByLabel(/^Parameters/);
    await parameters.fill((await parameters.inputValue()).replace('4900', '100'));
    await page.getByLabel(/^Reason/).fill('a little of it');
    await page.getByRole('button', { name: 'Reject and propose this' }).click();
    await page.getByText('wendy changed the parameters').waitFor();
    await page.getByLabel(/^Reason/).fill('mine');
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('alert').getByText('who asked for a call').waitFor();
    await shot('own');
  });

  it('asks for what is new only while somebody looks', async () => {
    await held();
    await page.goto(runtime.file.approvals);
    await page.locator('.queue li').first().waitFor();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.evaluate("Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' }); document.dispatchEvent(new Event('visibilitychange'))");
    await page.waitForTimeout(6_000);
    expect(asked).toEqual([]);
    const count = await page.locator('.queue li').count();
    await held();
    await page.evaluate("Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'visible' }); document.dispatchEvent(new Event('visibilitychange'))");
    await page.locator('.queue li').nth(count).waitFor();
    expect(asked.slice(0, 2)).toEqual(['/approve/open', '/approve/holds']);
  });

  it('signs in again where a decision asks for it', async () => {
    const holdId = await held();
    const stale = await runtime.visitor('wendy', { ...LEAD, signedInSecondsAgo: 1_000 });
    await page.goto(`${runtime.file.approvals}?hold=${holdId}`);
    await page.evaluate(`sessionStorage.setItem('token', ${JSON.stringify(stale.token)})`);
    await page.getByLabel(/^Reason/).fill('fine');
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('button', { name: 'Sign in again' }).click();
    await page.getByLabel('Name').fill('wendy');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(new RegExp(`hold=${holdId}`));
    await page.getByLabel(/^Reason/).fill('fine');
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('Approved and executed').waitFor();
  });

  it('sends a sign-in of another tab away', async () => {
    await page.goto(`${runtime.file.approvals}?code=stolen&state=foreign`);
    await page.evaluate('sessionStorage.clear()');
    await page.goto(`${runtime.file.approvals}?code=stolen&state=foreign`);
    await page.getByText('This sign-in was not started in this tab').waitFor();
    expect(new URL(page.url()).search).toBe('');
    await shot('foreign');
    expect(await accessibilityFaults(page)).toEqual([]);
  });

  it('talks to its own address alone, and breaks none of its rules', () => {
    expect(elsewhere).toEqual([]);
    expect(faults).toEqual([]);
  });
});
