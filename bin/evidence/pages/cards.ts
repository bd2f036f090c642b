import type { Card } from '../../../lib/scope/card';
import { cardPage } from '../../../lib/scope/card-page';
import type { Manifest } from '../../../lib/scope/manifest';
import { code, table, text } from '../../../lib/scope/markdown';
import type { Log } from '../../log';
import { said } from '../entries';
import type { PageMaker } from '../page';

/** A card as it is registered. */
export interface CardRow { readonly card: Card; readonly digest: string; readonly environment: string; readonly approvedBy: string | null; readonly signatures: readonly unknown[]; readonly reviewBy: string; readonly registeredAt: string }

/** Cards that are in force now, one of each agent. */
export async function cardsOf(log: Pick<Log, 'rows'>): Promise<CardRow[]> {
  const rows: Record<string, unknown>[] = [];
  // A few at a time: the Data API answers with 1 MiB at most.
  for (;;) {
    const more = await log.rows(`select card, card_digest, environment, approved_by, signatures, review_by, to_char(registered_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as registered_at from audit.card where current order by agent limit 10 offset :skip::int`, { skip: rows.length });
    rows.push(...more);
    if (more.length < 10) break;
  }
  return rows.map((row) => ({
    card: JSON.parse(said(row.card)) as Card, digest: said(row.card_digest), environment: said(row.environment), approvedBy: typeof row.approved_by === 'string' ? row.approved_by : null, signatures: JSON.parse(said(row.signatures)) as unknown[], reviewBy: said(row.review_by), registeredAt: said(row.registered_at),
  }));
}

/** Actions as they were last deployed. */
export async function manifestsOf(log: Pick<Log, 'rows'>): Promise<Manifest[]> {
  return (await log.rows('select manifest from audit.action order by name')).map(({ manifest }) => JSON.parse(said(manifest)) as Manifest);
}

/** Control 1: what each agent is for, what it may do, who approved that. */
export const cards: PageMaker = {
  name: '01-scope-cards',
  async make({ log }) {
    const current = await cardsOf(log);
    const manifests = await manifestsOf(log);
    return {
      title: 'Scope cards',
      shows: 'The card of every agent as it is in force: purpose, owners, data, scopes, who is asked, who approved it and for which digest.',
      markdown: [
        ...table(['agent', 'environment', 'digest', 'approved by', 'review by', 'registered'], current.map(({ card, digest, environment, approvedBy, reviewBy, registeredAt }) => [text(card.agent), code(environment), code(digest.slice(0, 16)), approvedBy === null ? '**nobody: it starts no run**' : text(approvedBy), reviewBy, registeredAt.slice(0, 10)])), '',
        // Each page has a heading of its own, one level down.
        ...current.flatMap(({ card }) => [cardPage({ card, manifests }).replaceAll(/^(#+) /gm, '#$1 '), '']),
      ],
      data: current,
      hides: ['Whether what an agent did was wise: a card says what it may do.', 'Cards of agents that were removed; what they did is in the log.'],
    };
  },
};
