import { code, table, text } from './markdown';
import { classesOf, fateOf, ProviderPolicy, ResidencyPolicy, UNCLASSIFIED } from './residency';

/** The one-page policy that a privacy reviewer reads: who may see what, where, on which terms, and what happens otherwise. Markdown. */
export function residencyPage(policy: ResidencyPolicy): string {
  const { regions, owner, reviewBy, providers, columns, prose } = policy;
  const classes = classesOf(policy);
  return [
    '# Data residency', '',
    ...table(['owner', 'review by', 'data may be in'], [[text(owner), reviewBy, regions.map(code).join(', ')]]), '',
    'Every call of a model goes through one gateway. It decides before anything is sent; what it decides by is this page.', '',
    '## Which provider may see what', '',
    ...table(['class', ...providers.map(({ name }) => code(name))], classes.map((name) => [text(name), ...providers.map((provider) => cell(policy, provider, name))])), '',
    `Blocked means that the call is refused. Data of several classes goes where all of them may; where there is no such provider, the call is refused. Prose in which no detector finds anything counts as ${text(prose)}. What carries no class counts as ${UNCLASSIFIED}, and nobody is cleared for it.`, '',
    '## Providers and sub-processors', '',
    ...table(['provider', 'company', 'models', 'processes in', 'trains on it', 'keeps it', 'terms'], providers.map((provider) => [
      code(provider.name), text(provider.company), provider.models.map(code).join(', '), provider.processesIn.map(text).join(', '), ...terms(provider),
    ])), '',
    '## Classes of columns', '',
    ...table(['column', 'class'], Object.entries(columns).sort(([a], [b]) => a.localeCompare(b, 'en')).map(([column, name]) => [code(column), text(name)])), '',
    'A column that is not here counts as unclassified.', '',
    '## What enforces it', '',
    ...table(['bound', 'enforced by'], [
      ['no agent asks a provider itself', 'explicit denies on every agent\'s role and boundary; a service control policy for the organisation'],
      ['models and regions', 'IAM of the gateway: each model in each region that is named here, and an explicit deny of every other region'],
      ['classes', 'the gateway: labels of what the run has read, then detectors, before the connection is opened'],
      ['where data is stored', 'synth: no database, bucket or log group outside the regions'],
    ]), '',
  ].join('\n');
}

function cell(policy: ResidencyPolicy, { name: asked }: ProviderPolicy, className: string): string {
  const fate = fateOf(policy, asked, className);
  if (fate.how === 'goes to') return `goes to ${code(fate.to)}`;
  return fate.how === 'blocked' ? '**blocked**' : fate.how;
}

function terms({ terms: of }: ProviderPolicy): [string, string, string] {
  if (!of) return ['nobody has noted it', 'nobody has noted it', '**nobody has noted any**'];
  return [of.trainsOnData ? '**yes**' : 'no', of.retentionDays === 0 ? 'not at all' : `${of.retentionDays} days`, `${text(of.url)}, read on ${of.readOn}`];
}
