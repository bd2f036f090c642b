/** A seeded history of agents at work, and of what should be found in it: made up, and the same each time. */
import type { Client } from 'pg';

/** Something that was done, as the log has it. */
export interface Done {
  readonly at: number;
  readonly kind: 'call.intent' | 'call.outcome' | 'hold.approved' | 'hold.rejected' | 'call.refused';
  readonly agent: string;
  readonly action: string;
  readonly outcome: string;
  readonly decision: string;
  readonly approver?: string;
  readonly effect?: 'read' | 'write';
  readonly parameters?: object;
}

/** Something unusual that was put into a history: whoever watches should find it by this rule from then until it is not looked back at any more. */
export interface Planted { readonly rule: string; readonly agent: string; readonly from: number; readonly ended: number; readonly until: number }

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A generator of numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Profile {
  readonly agent: string;
  /** Calls of an hour, UTC, of a working day and of a weekend. */
  readonly pace: (hour: number, weekend: boolean) => number;
  /** Actions with their shares. */
  readonly mix: Readonly<Record<string, number>>;
  readonly held?: string;
}

const office = (from: number, until: number, calls: number) => (hour: number, weekend: boolean): number => (weekend || hour < from || hour >= until ? 0 : calls);
export const WRITES: Readonly<Record<string, readonly string[]>> = { update_tier: ['customer_id', 'tier'], issue_refund: ['charge_id', 'amount'], send_email: ['to', 'subject', 'body'], add_note: ['lead_id', 'note'], export_list: ['list'] };

const PROFILES: readonly Profile[] = [
  { agent: 'crm-tierer', pace: office(7, 18, 14), mix: { read_customer: 0.6, update_tier: 0.4 } },
  { agent: 'refunder', pace: (hour) => (hour < 6 || hour >= 22 ? 0 : 6), mix: { read_charges: 0.5, issue_refund: 0.5 } },
  { agent: 'outreach-closer', pace: office(8, 17, 8), mix: { read_leads: 0.4, send_email: 0.4, add_note: 0.2 }, held: 'send_email' },
  { agent: 'nightly', pace: (hour) => (hour < 5 ? 20 : 3), mix: { read_leads: 0.7, add_note: 0.3 } },
  { agent: 'support', pace: (hour, weekend) => (hour < 7 || hour >= 20 ? 1 : weekend ? 3 : 9), mix: { read_customer: 0.5, add_note: 0.5 } },
];
export const AGENTS = PROFILES.map(({ agent }) => agent);
const COLUMNS: Readonly<Record<string, readonly string[]>> = { read_customer: ['id', 'company', 'tier'], read_charges: ['id', 'amount'], read_leads: ['name', 'company'] };
const PEOPLE = ['ada', 'bo', 'carl'];

/** What agents did over some days, in order. */
export function history(seed: number, from: number, days: number): Done[] {
  const random = seeded(seed);
  const made: Done[] = [];
  for (let day = 0; day < days; day += 1) for (const { agent, pace, mix, held } of PROFILES) for (let hour = 0; hour < 24; hour += 1) {
    const start = from + day * DAY + hour * HOUR;
    // Some days are busier than others, and hours vary as arrivals do.
    const rate = pace(hour, [0, 6].includes(new Date(start).getUTCDay())) * (0.8 + 0.4 * seeded(seed * 7_919 + day)());
    for (let at = -Math.log(1 - random()) / rate; at < 1; at -= Math.log(1 - random()) / rate) {
      made.push(...call(random, agent, pick(random, mix), start + at * HOUR, held));
    }
  }
  return made.sort((a, b) => a.at - b.at);
}

function pick(random: () => number, mix: Readonly<Record<string, number>>): string {
  let left = random() * Object.values(mix).reduce((sum, share) => sum + share, 0);
  for (const [action, share] of Object.entries(mix)) if ((left -= share) < 0) return action;
  return Object.keys(mix)[0] as string;
}

let ids = 0;
const id = (): string => `00000000-0000-4000-8000-${(ids += 1).toString(16).padStart(12, '0')}`;

/** One call as the log tells it: mostly done, sometimes denied, sometimes held and decided by somebody. */
function call(random: () => number, agent: string, action: string, at: number, held: string | undefined, of: { readonly parameters?: object; readonly denied?: boolean } = {}): Done[] {
  const decision = id();
  const parameters = of.parameters ?? (action === 'issue_refund' ? { charge_id: 'ch_1', amount: { currency: 'USD', minorUnits: Math.round(1_000 + 30_000 * random() ** 2) } } : WRITES[action] ? Object.fromEntries((WRITES[action] ?? []).map((name) => [name, 'x'])) : { columns: COLUMNS[action] ?? ['id'] });
  const effect = WRITES[action] ? 'write' : 'read';
  const common = { agent, action, decision, parameters, effect } as const;
  if (of.denied ?? random() < 0.01) return [{ ...common, at, kind: 'call.intent', outcome: 'deny' }];
  if (action !== held) return [{ ...common, at, kind: 'call.intent', outcome: 'permit' }, { ...common, at: at + 300, kind: 'call.outcome', outcome: random() < 0.005 ? 'failed' : 'executed' }];
  const answered = at + (25 + 200 * random()) * 1_000;
  const approver = PEOPLE[Math.floor(random() * PEOPLE.length)] as string;
  const asked = { ...common, at, kind: 'call.intent', outcome: 'hold' } as const;
  return random() < 0.12 ? [asked, { ...common, at: answered, kind: 'hold.rejected', outcome: 'reject', approver }] : [asked, { ...common, at: answered, kind: 'hold.approved', outcome: 'approve', approver }, { ...common, at: answered + 500, kind: 'call.outcome', outcome: 'executed' }];
}

/** What is unusual, spread over the month from `from` on, and what it adds to a history. */
export function planted(seed: number, from: number): { done: Done[]; planted: Planted[] } {
  const random = seeded(seed);
  const done: Done[] = [];
  const all: Planted[] = [];
  /** A time on the day of this number, or on the next working day. */
  const time = (day: number, hour: number): number => {
    let at = from + day * DAY + hour * HOUR;
    while ([0, 6].includes(new Date(at).getUTCDay())) at += DAY;
    return at + 7 * MINUTE;
  };
  /** `stays`: for how long after its end a rule looks back at it. */
  const plant = (rule: string, agent: string, at: number, lasts: number, make: (at: number) => Done[], count: number, stays = 3 * HOUR): void => {
    for (let each = 0; each < count; each += 1) done.push(...make(at + (lasts * each) / count));
    all.push({ rule, agent, from: at, ended: at + lasts, until: at + lasts + stays });
  };
  const of = (agent: string, action: string, more: Parameters<typeof call>[5] = {}) => (at: number): Done[] => call(random, agent, action, at, undefined, { denied: false, ...more });

  for (const [day, agent, action] of [[1, 'crm-tierer', 'update_tier'], [9, 'support', 'add_note'], [17, 'crm-tierer', 'update_tier'], [24, 'nightly', 'add_note']] as const) plant('bulk-writes', agent, time(day, 11), 4 * MINUTE, of(agent, action), 130);
  for (const [day, agent, action] of [[2, 'refunder', 'issue_refund'], [10, 'crm-tierer', 'update_tier'], [19, 'outreach-closer', 'send_email'], [25, 'support', 'add_note']] as const) plant('repeated-failures', agent, time(day, 14), 3 * MINUTE, of(agent, action, { denied: true }), 24);
  for (const [day, agent, action, hour] of [[3, 'crm-tierer', 'read_customer', 1], [11, 'outreach-closer', 'read_leads', 3], [18, 'refunder', 'read_charges', 2], [26, 'outreach-closer', 'read_leads', 22]] as const) plant('unusual-hours', agent, time(day, hour), 20 * MINUTE, of(agent, action), 9);
  for (const [day, agent, action] of [[4, 'support', 'read_customer'], [12, 'refunder', 'read_charges'], [20, 'crm-tierer', 'read_customer']] as const) plant('rate-spike', agent, time(day, 10), 40 * MINUTE, of(agent, action), 110);
  for (const day of [5, 13, 21]) plant('sum-spike', 'refunder', time(day, 9), 2 * HOUR, of('refunder', 'issue_refund', { parameters: { charge_id: 'ch_1', amount: { currency: 'USD', minorUnits: 250_000 } } }), 12);
  for (const [day, agent, action, parameters] of [[6, 'support', 'export_list', { list: 'all' }], [14, 'crm-tierer', 'read_customer', { columns: ['id', 'payment_terms'] }], [22, 'outreach-closer', 'add_note', { lead_id: 'L', note: 'n', attachment: 'x' }]] as const) plant('new-behaviour', agent, time(day, 13), MINUTE, of(agent, action, { parameters }), 2);
  for (const day of [7, 15, 27]) plant('replaced-credential', 'refunder', time(day, 12), 5 * MINUTE, (at) => [{ at, kind: 'call.refused', agent: 'refunder', action: '', outcome: 'RunUnknown', decision: id() }], 3);
  for (const [day, approver] of [[8, 'dora'], [16, 'ada'], [23, 'emil']] as const) plant('rubber-stamp', approver, time(day, 15), 40_000, (at) => {
    const decision = id();
    const common = { agent: 'outreach-closer', action: 'send_email', decision, effect: 'write', parameters: { to: 'x', subject: 'x', body: 'x' } } as const;
    return [{ ...common, at: at - 90_000, kind: 'call.intent', outcome: 'hold' }, { ...common, at, kind: 'hold.approved', outcome: 'approve', approver }];
  }, 12);
  // Sixty over three weeks, each within seconds.
  const slow = time(4, 9);
  plant('never-rejects', 'frida', slow, 18 * DAY, (at) => {
    const working = time(Math.floor((at - from) / DAY), 9 + Math.floor(random() * 7));
    const common = { agent: 'outreach-closer', action: 'send_email', decision: id(), effect: 'write', parameters: { to: 'x', subject: 'x', body: 'x' } } as const;
    return [{ ...common, at: working, kind: 'call.intent', outcome: 'hold' }, { ...common, at: working + 6_000, kind: 'hold.approved', outcome: 'approve', approver: 'frida' }];
  }, 60, 28 * DAY);
  // From one day on it does something else than before, for longer than a week.
  const turned = time(15, 20);
  plant('drift', 'nightly', turned, 9 * DAY, of('nightly', 'add_note'), 1_100);
  return { done: done.sort((a, b) => a.at - b.at), planted: all };
}

/** Writes what was done past the chain, which nobody who looks for what is unusual reads. */
export async function write(client: Pick<Client, 'query'>, done: readonly Done[]): Promise<void> {
  if (done.length === 0) return;
  const rows = JSON.stringify(done.map(({ at, ...more }) => ({ ...more, at: new Date(at).toISOString() })));
  await client.query(`insert into gate.call select (r ->> 'decision')::uuid, 'run-' || (r ->> 'agent'), r ->> 'decision', r ->> 'agent', r ->> 'action', (r -> 'parameters')::text, '\\x', '', 'dev', null, null, null, null, null, r ->> 'outcome', '{}', null, 'executed', null, (r ->> 'at')::timestamptz
    from json_array_elements($1::json) r where r ->> 'kind' = 'call.intent' on conflict do nothing`, [rows]);
  await client.query(`insert into audit.entry select 0, nextval('history_seq'), (r ->> 'at')::timestamptz, r ->> 'kind', 'x', case when r ->> 'kind' <> 'call.refused' then r ->> 'agent' end, case when r ->> 'kind' <> 'call.refused' then 'run-' || (r ->> 'agent') end, case when r ->> 'kind' <> 'call.refused' then (r ->> 'decision')::uuid end, nullif(r ->> 'action', ''), null, r ->> 'approver', r ->> 'outcome',
    case when r ->> 'kind' = 'call.refused' then json_build_object('principal', 'AROA:run-' || (r ->> 'agent')) else json_build_object('effect', r ->> 'effect', 'reasons', '[]'::json) end::text, null, null, '\\x' from json_array_elements($1::json) r`, [rows]);
}

/** Makes the agents known, with cards that have been in force for long, and the clock one that is set. */
export async function prepare(client: Pick<Client, 'query'>, from: number): Promise<void> {
  await client.query('create sequence history_seq start 1000000');
  for (const [name] of Object.entries(WRITES)) await client.query("insert into controls.action values ($1, 's', $2, 'd', 'f', 'b', now()) on conflict do nothing", [name, JSON.stringify({ name, effect: 'write' })]);
  for (const agent of AGENTS) {
    await client.query("insert into controls.scope values ($1, 'd', 'dev', '{}', '{}', 'x', '[]', '2099-01-01', $2) on conflict do nothing", [agent, new Date(from - DAY)]);
    await client.query("insert into controls.agent (name, stack, environment, card_digest, secret_arn) values ($1, 's', 'dev', 'd', 'a') on conflict do nothing", [agent]);
    await client.query("insert into controls.run values ('run-' || $1, $1, 'd', 'dev', 'x', 'x', 'p-' || $1, null, false, null, null, null, $2, $2) on conflict do nothing", [agent, new Date(from)]);
  }
}

/** A finding, by the time at which it was looked for. */
export interface Found { readonly rule: string; readonly agent: string | null; readonly subject: string; readonly at: number }

/** Times from one to another, so far apart. */
export const times = (from: number, until: number, everyMs: number): number[] => Array.from({ length: Math.floor((until - from) / everyMs) + 1 }, (_, index) => from + index * everyMs);

/** Looks at some times while a history comes in. */
export async function watched(client: Pick<Client, 'query'>, rules: readonly object[], done: readonly Done[], looks: readonly number[], progress: (text: string) => void = () => undefined): Promise<Found[]> {
  const found: Found[] = [];
  let next = 0;
  for (const now of looks) {
    const batch: Done[] = [];
    for (; next < done.length && (done[next] as Done).at <= now; next += 1) batch.push(done[next] as Done);
    await write(client, batch);
    await client.query(`create or replace function controls.now() returns timestamptz language sql volatile as 'select timestamptz ''${new Date(now).toISOString()}'''`);
    for (const rule of rules) await client.query('select anomaly.look($1)', [JSON.stringify(rule)]);
    const { rows: [row] } = await client.query<{ found: string }>("select coalesce(json_agg(json_build_object('finding', finding_id, 'rule', rule, 'agent', agent, 'subject', subject)), '[]')::text as found from anomaly.finding where not told");
    const told = JSON.parse(row?.found ?? '[]') as { finding: string; rule: string; agent: string | null; subject: string }[];
    for (const { rule, agent, subject } of told) {
      found.push({ rule, agent, subject, at: now });
    }
    if (told.length > 0) await client.query('select anomaly.told($1)', [JSON.stringify(told.map(({ finding }) => finding))]);
    while ((await client.query<{ more: boolean }>('select anomaly.count_hours() as more')).rows[0]?.more);
    progress(new Date(now).toISOString().slice(0, 10));
  }
  return found;
}

/** Whether a finding is of something that was planted: of that agent or person, while it lasted. */
export const isOf = ({ agent, subject, at }: Found, each: Planted): boolean => (each.agent === agent || each.agent === subject) && at >= each.from && at <= each.until;
