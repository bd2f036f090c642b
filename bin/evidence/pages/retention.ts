import { Erasure, readStatement, Retention } from '../../../lambda/audit/statement';
import { code, table, text } from '../../../lib/scope/markdown';
import { entriesOf, newest, said, when } from '../entries';
import type { PageMaker } from '../page';

/** What was erased and dropped, by signed receipts, and what is held back. */
export const retention: PageMaker = {
  name: '11-retention',
  async make({ log, bucket, keys, period }) {
    const read = async <T>(stored: Awaited<ReturnType<typeof bucket.erasures>>): Promise<{ statement: T; signature: string; key: string }[]> => Promise.all(stored.map(async (one) => {
      const file = readStatement(await bucket.get(one), keys);
      if (!file) throw new Error(`StatementInvalid: ${one.key} is not signed by a key that counts; run agent-controls audit verify`);
      return { ...(file as unknown as { statement: T; signature: string }), key: one.key };
    }));
    const erasures = await read<Erasure>(await bucket.erasures());
    const months = await read<Retention>(await bucket.retentions());
    const holds = await entriesOf(log, ['legal-hold.placed', 'legal-hold.released', 'erasure.ordered', 'erasure.refused', 'erasure.done', 'retention.dropped'], period);
    const [oldest] = await log.rows(`select to_char(min(at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as oldest, count(*)::bigint::text as entries from audit.entry`);
    return {
      title: 'Retention and erasure',
      shows: 'Signed receipts of what was erased and of months that were dropped at the end of their retention, and legal holds.',
      markdown: [
        ...table(['oldest entry', 'entries'], [[when(said(oldest?.oldest ?? '')), said(oldest?.entries ?? 0)]]), '',
        '## Erasures', '',
        ...table(['at', 'reference', 'ordered by', 'payloads', 'calls', 'in backups until', 'receipt'], erasures.map(({ statement, key }) => [when(statement.at), text(statement.reference), text(statement.orderedBy), said(statement.payloads.length), said(statement.calls), statement.backupsExpire, `[receipt](receipts/${key.replaceAll('/', '-')})`])), '',
        '## Months that were dropped', '',
        ...table(['month', 'at', 'kept for', 'receipt'], months.map(({ statement, key }) => [code(statement.month), when(statement.at), `${statement.keptMonths} months`, `[receipt](receipts/${key.replaceAll('/', '-')})`])), '',
        '## Legal holds and orders', '',
        ...table(['time', 'what', 'reference', 'outcome'], holds.map(({ time, kind, reference, outcome }) => [when(time), kind, text(reference ?? ''), text(outcome ?? '')])), ...newest(holds),
      ],
      data: { oldest: oldest ?? null, erasures, months, entries: holds },
      hides: ['Tables of your own applications, and copies that somebody made of this log: those are yours to erase.', 'The subject that was erased: a receipt that named it would keep it.'],
      files: Object.fromEntries([...erasures, ...months].map(({ key, statement, signature }) => [`receipts/${key.replaceAll('/', '-')}`, `${JSON.stringify({ statement, signature }, null, 2)}\n`])),
    };
  },
};
