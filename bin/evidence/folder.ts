/** A folder of evidence: pages that open without a server, the same as JSON, and a signed manifest of digests. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { keyFingerprint } from '../../lambda/audit/statement';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { code, table, text } from '../../lib/scope/markdown';
import { pageHtml } from '../page-html';
import { when } from './entries';
import type { Material, Page, PageMaker } from './page';
import { CRITERIA } from './soc2';

/** The digest of every file of a folder. */
export interface Manifest {
  readonly format: 'agent-controls/evidence-manifest/1';
  readonly controls: string;
  readonly from: string | null;
  readonly until: string;
  /** The newest checkpoint when it was made: what pages tell was signed before, and the sample was drawn by its digest. */
  readonly checkpoint: { readonly number: number; readonly digest: string };
  readonly files: Readonly<Record<string, string>>;
}

export const MANIFEST = 'manifest.json';
export const SIGNATURE = 'signature.json';
export const KEY = 'signing-key.pem';
/** What is not in the manifest: itself, its signature, and how far an interrupted run came. */
export const BESIDE = [MANIFEST, SIGNATURE];
const PROGRESS = '.progress.json';

/** The seven controls, each with the page that shows it. */
const CONTROLS: readonly (readonly [string, string, string])[] = [
  ['Scoped credentials per agent', '01-scope-cards', 'every agent has a card that somebody approved by name, and an identity that nobody shares'],
  ['An audit log per decision', '03-decisions', 'every decision is a row that cannot be changed unseen, and here is a sample with its proofs'],
  ['Holds on what cannot be undone', '04-holds', 'what is irreversible waited for somebody, and expired where nobody answered'],
  ['Rotation', '05-rotation', 'every credential is replaced on schedule and after a leak, and the window is known'],
  ['Containment of injections', '06-injection', 'what a model is talked into does not get through the gate'],
  ['A reverse for every write', '07-reverses', 'every write says how it is undone, and was undone with one command'],
  ['A data-residency policy', '08-residency', 'one page says which model may see what, and the gateway enforces it'],
];

/** How far an earlier, interrupted run came; only for the same question. */
interface Progress { readonly of: string; readonly done: Record<string, Summary> }
interface Summary { readonly title: string; readonly shows: string; readonly files: Readonly<Record<string, string>> }

/** Writes the pages of a folder; pages that an interrupted run has made already are left as they are. @returns the manifest. */
export async function writeFolder(out: string, makers: readonly PageMaker[], of: Material, local: boolean, tell: (what: string) => void): Promise<Manifest> {
  mkdirSync(out, { recursive: true, mode: 0o700 });
  const question = sha256(canonicalJson({ controls: of.log.controlsName, from: of.period.from ?? null, until: of.period.until, checkpoint: of.checkpoint.digest, assembly: of.assembly ?? null, files: [...of.tabletops, ...(of.injection === undefined ? [] : [of.injection])].map((path) => sha256(readFileSync(path))), makers: makers.map(({ name }) => name) }));
  if (existsSync(join(out, MANIFEST))) throw new Error(`EvidenceFolder: ${out} is evidence already, and is not written over; give another folder`);
  const before = readProgress(out, question);
  if (!before && written(out).length > 0) throw new Error(`EvidenceFolder: ${out} holds files that are no evidence of this question; give an empty folder`);
  const progress: Progress = before ?? { of: question, done: {} };
  save(join(out, PROGRESS), JSON.stringify(progress));
  for (const [index, maker] of makers.entries()) {
    const known = progress.done[maker.name];
    if (known && Object.entries(known.files).every(([path, digest]) => existsSync(join(out, path)) && sha256(readFileSync(join(out, path))) === digest)) continue;
    tell(`page ${index + 1} of ${makers.length}: ${maker.name}`);
    const page = await maker.make({ ...of, progress: (what) => tell(`page ${index + 1} of ${makers.length}, ${maker.name}: ${what}`) });
    progress.done[maker.name] = { title: page.title, shows: page.shows, files: put(out, { ...filesOf(maker.name, page, local, makers), ...attached(page, local) }) };
    save(join(out, PROGRESS), JSON.stringify(progress));
  }
  const front = put(out, { 'index.html': pageHtml('Evidence', frontPage(of, makers, progress.done, local)), 'soc2.html': pageHtml('SOC 2', soc2Page(local)), 'soc2.json': `${JSON.stringify(CRITERIA, null, 2)}\n`, [KEY]: of.keys.map((key) => key.export({ type: 'spki', format: 'pem' }).toString()).join('') });
  const manifest: Manifest = { format: 'agent-controls/evidence-manifest/1', controls: of.log.controlsName, from: of.period.from ?? null, until: of.period.until, checkpoint: { number: of.checkpoint.number, digest: of.checkpoint.digest }, files: Object.fromEntries(Object.entries({ ...front, ...Object.assign({}, ...Object.values(progress.done).map(({ files }) => files)) as Record<string, string> }).sort(([a], [b]) => (a < b ? -1 : 1))) };
  const stranger = written(out).find((path) => !Object.hasOwn(manifest.files, path));
  if (stranger !== undefined) throw new Error(`EvidenceFolder: ${stranger} came into ${out} from elsewhere; take it away, and ask again`);
  return manifest;
}

/** Makes a folder whole: manifest and signature, in this order. */
export function seal(out: string, manifest: Manifest, signature: object): void {
  save(join(out, SIGNATURE), `${JSON.stringify(signature, null, 2)}\n`);
  save(join(out, MANIFEST), manifestText(manifest));
  for (const path of allFiles(out)) if (isAside(path)) rmSync(join(out, path));
}

/** What is signed is this text. */
export const manifestText = (manifest: Manifest): string => `${canonicalJson(manifest)}\n`;

/** Every file of a folder, by its path in it. */
export function allFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory()).map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/')).sort();
}

/** What a run needs while it writes, and no more once the folder is whole. */
const isAside = (path: string): boolean => path === PROGRESS || path.endsWith('.part');
const written = (out: string): string[] => allFiles(out).filter((path) => !isAside(path));

export const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

function readProgress(out: string, question: string): Progress | undefined {
  try {
    const kept = JSON.parse(readFileSync(join(out, PROGRESS), 'utf8')) as Progress;
    return kept.of === question ? kept : undefined;
  } catch {
    return undefined;
  }
}

function put(out: string, files: Readonly<Record<string, string>>): Record<string, string> {
  const digests: Record<string, string> = {};
  for (const [path, content] of Object.entries(files)) {
    if (!/^[\w-]+(\/[\w-]+)?\.\w+$/.test(path)) throw new Error(`EvidencePath: ${JSON.stringify(path)} is no name of a file of evidence`); // an agent's name is in some
    mkdirSync(dirname(join(out, path)), { recursive: true, mode: 0o700 });
    save(join(out, path), content);
    digests[path] = sha256(content);
  }
  return digests;
}

/** Whole or not at all; what decisions held is nobody else's. */
function save(path: string, content: string): void {
  writeFileSync(`${path}.part`, content, { mode: 0o600 });
  renameSync(`${path}.part`, path);
}

const LOCAL = '**This is the evidence of a local runtime: of how things work, and of nothing that happened in production.**';

function filesOf(name: string, page: Page, local: boolean, makers: readonly PageMaker[]): Record<string, string> {
  const links = ['[Evidence](index.html)', ...makers.map((maker) => (maker.name === name ? text(maker.name.slice(0, 2)) : `[${maker.name.slice(0, 2)}](${maker.name}.html)`)), '[SOC 2](soc2.html)', `[JSON](${name}.json)`];
  const markdown = [`# ${text(page.title)}`, '', ...(local ? [LOCAL, ''] : []), text(page.shows), '', links.join(' · '), '', ...page.markdown, '', '## What this page does not show', '', ...page.hides.map((each) => `- ${text(each)}`), ''].join('\n');
  return { [`${name}.html`]: pageHtml(page.title, markdown), [`${name}.json`]: `${JSON.stringify({ title: page.title, shows: page.shows, local, doesNotShow: page.hides, data: page.data }, null, 2)}\n` };
}

/** Files beside a page; of Markdown the page that it makes, too, which says what every page says. */
function attached({ title: of, files = {} }: Page, local: boolean): Record<string, string> {
  const page = (content: string): string => pageHtml(/^# (.*)$/m.exec(content)?.[1] ?? of, [content.replace(/^# .*$/m, (title) => (local ? `${title}\n\n${LOCAL}` : title)), '## What this page does not show', '', '- That anybody has practised it, and that whoever it names still answers.', ''].join('\n'));
  return Object.fromEntries(Object.entries(files).flatMap(([path, content]) => (path.endsWith('.md') ? [[path, content], [path.replace(/\.md$/, '.html'), page(content)]] : [[path, content]])));
}

function frontPage({ log, period, keys, checkpoint }: Material, makers: readonly PageMaker[], done: Readonly<Record<string, Summary>>, local: boolean): string {
  return [
    '# Evidence', '',
    ...(local ? [LOCAL, ''] : []),
    ...table(['control plane', 'from', 'until', 'rests on', 'key'], [[code(log.controlsName), period.from === undefined ? 'its beginning' : when(period.from), when(period.until), `checkpoint ${checkpoint.number}, ${when(checkpoint.databaseAt)}`, keys.map((key) => code(keyFingerprint(key).slice(0, 32))).join(', ')]]), '',
    '## Seven controls', '',
    ...table(['no.', 'control', 'what is shown', 'page'], CONTROLS.map(([control, name, sentence], index) => [String(index + 1), `**${text(control)}**`, text(sentence), `[${name}](${name}.html)`])), '',
    '## All pages', '',
    ...table(['page', 'shows', 'for machines'], makers.map(({ name }) => [`[${text(done[name]?.title ?? name)}](${name}.html)`, text(done[name]?.shows ?? ''), `[JSON](${name}.json)`])), '',
    `[SOC 2](soc2.html) says which criteria these pages speak to, and which they do not.`, '',
    '## Whether this folder is as it was made', '',
    `${code('agent-controls evidence verify FOLDER --key KEY.pem')}: the digest of every file is in ${code(MANIFEST)}, whose digest the control plane's key signed in ${code(SIGNATURE)}. Take the key from whoever you trust, and not from this folder.`, '',
    '## What this folder does not show', '',
    '- That the account runs what this says: it is what the control plane wrote of itself, anchored in statements that nobody there can take back.', '- What happened before the log began, or in systems that no agent reaches through the gate.', '',
  ].join('\n');
}

function soc2Page(local: boolean): string {
  return [
    '# SOC 2', '', ...(local ? [LOCAL, ''] : []), '[Evidence](index.html)', '',
    'Criteria that the control plane can show something for, and where. Whether these very pages do is to be read on them: one that was not made, or a log that does not verify, shows nothing. Whether a report says so is for your auditor.', '',
    ...table(['criterion', 'asks for', 'can be shown', 'by', 'what is left'], CRITERIA.map(({ criterion, asks, met, pages, left }) => [code(criterion), text(asks), met === 'satisfied' ? met : `**${met}**`, pages.map((name) => `[${name}](${name}.html)`).join(', ') || 'nothing', text(left)])), '',
    '## What this page does not show', '', '- Criteria that no control of agents speaks to, and what your organisation does beside: who is hired, how a laptop is kept, what a board decides.', '- That a control worked all year: the pages are of their period.', '',
  ].join('\n');
}
