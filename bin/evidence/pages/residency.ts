import { modelCalls } from '../../../lambda/audit/model-calls';
import { code, table, text } from '../../../lib/scope/markdown';
import type { ResidencyPolicy } from '../../../lib/scope/residency';
import { residencyPage } from '../../../lib/scope/residency-page';
import { isReviewOver, Vendor } from '../../../lib/scope/vendor';
import type { Log } from '../../log';
import { said } from '../entries';
import type { PageMaker } from '../page';
import { manifestsOf } from './cards';

/** The residency policy that counts, if there is one. */
export async function policyOf(log: Pick<Log, 'rows'>): Promise<ResidencyPolicy | undefined> {
  const [row] = await log.rows('select policy from audit.residency');
  return row ? (JSON.parse(said(row.policy)) as ResidencyPolicy) : undefined;
}

/** Who is handed data, by which action or provider. */
export async function vendorsOf(log: Pick<Log, 'rows'>): Promise<{ readonly by: string; readonly vendor: Vendor | undefined; readonly outward: boolean }[]> {
  const policy = await policyOf(log);
  return [
    ...(await manifestsOf(log)).filter(({ vendor, reach }) => vendor !== undefined || reach !== 'internal').map(({ name, vendor, reach }) => ({ by: `action ${name}`, vendor, outward: reach !== 'internal' })),
    ...(policy?.providers ?? []).map(({ name, company, vendor, clearedFor }) => ({ by: `model ${name}`, vendor: vendor ?? undefined, outward: true, company, clearedFor })),
  ];
}

/** Control 7: which model may see what, who else is handed data, and what was sent. */
export const residency: PageMaker = {
  name: '08-residency',
  async make({ log, period }) {
    const policy = await policyOf(log);
    const vendors = await vendorsOf(log);
    const calls = await modelCalls(log, { ...period, limit: 200 });
    const [clock] = await log.rows("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD') as today");
    const today = said(clock?.today);
    const byOutcome = [...new Set(calls.map(({ agent, provider, outcome }) => JSON.stringify([agent, provider ?? 'nobody', outcome])))].map((key) => JSON.parse(key) as string[]);
    return {
      title: 'Residency, vendors and sub-processors',
      shows: 'The one-page policy, as it is enforced; every company that an action or a model hands data to, with its sub-processors and the review of its security; and calls of models.',
      markdown: [
        ...(policy ? [residencyPage(policy).replaceAll(/^(#+) /gm, '#$1 ')] : ['**There is no policy:** agents ask no model through this control plane.']), '',
        '## Vendors', '',
        ...table(['by', 'company', 'classes', 'sub-processors', 'reviewed by', 'counts until', 'whom to call'], vendors.map(({ by, vendor }) => (vendor ? [code(by), text(vendor.name), vendor.dataClasses.map(text).join(', ') || 'none', vendor.subProcessors.map(text).join(', ') || 'none', text(vendor.review.by), isReviewOver(vendor, today) ? `**${vendor.review.until}, over**` : vendor.review.until, text(vendor.escalation)] : [code(by), '**nobody has named it**', '', '', '**nobody**', '', '']))), '',
        '## Calls of models', '',
        ...table(['agent', 'provider', 'came to', 'of the newest 200'], byOutcome.map(([agent = '', provider = '', outcome = '']) => [text(agent), text(provider), text(outcome), said(calls.filter((each) => each.agent === agent && (each.provider ?? 'nobody') === provider && each.outcome === outcome).length)])),
      ],
      data: { policy: policy ?? null, vendors, calls },
      hides: ['What a provider does with what it was sent: that is in its terms.', 'Data that a program of an agent sends elsewhere by itself; the bypass proof lists which could.'],
    };
  },
};
