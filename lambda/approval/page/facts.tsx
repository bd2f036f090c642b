import { useState } from 'hono/jsx/dom';
import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { ask } from './session';
import { plain, seen, worded } from './words';

export function Section({ title, children }: { readonly title: string; readonly children?: Child }): JSX.Element {
  return <section><h3>{title}</h3>{children}</section>;
}

/** Names and values; what is not known is left out. */
export function Facts({ facts }: { readonly facts: Readonly<Record<string, string | readonly string[] | null>> }): JSX.Element {
  return <dl>{Object.entries(facts).filter(([, value]) => value !== null && value.length > 0).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{typeof value === 'string' ? seen(value) : <ul>{(value as readonly string[]).map((one) => <li key={one}>{seen(one)}</li>)}</ul>}</dd></div>)}</dl>;
}

/** Text that anybody may have written: it says so, for eyes and ears, and is text and nothing else. */
export function Untrusted({ label, text }: { readonly label: string; readonly text: string }): JSX.Element {
  return <figure class="untrusted"><figcaption>{label}<span class="mark">unverified text</span></figcaption><blockquote>{seen(text)}</blockquote></figure>;
}

type Fields = Readonly<Record<string, unknown>>;

/** What is there now beside what will be there: only of columns that the action says it changes, or a parameter that is called like one would pass for its new value. */
export function Changes({ parameters, shown, writes }: { readonly parameters: Fields; readonly shown: { readonly found?: unknown; readonly gone?: true } | undefined; readonly writes: readonly string[] }): JSX.Element {
  const found = typeof shown?.found === 'object' && shown.found !== null && !Array.isArray(shown.found) ? shown.found as Fields : undefined;
  const changed = Object.keys(found ?? {}).filter((name) => writes.includes(name) && Object.hasOwn(parameters, name));
  const others = (fields: Fields): [string, unknown][] => Object.entries(fields).filter(([name]) => !changed.includes(name));
  return <>
    {shown?.gone && <p class="fault">What it would change is not there.</p>}
    {changed.length > 0 && <div class="wide"><table class="changes">
      <thead><tr><th scope="col">Field</th><th scope="col">Now</th><th scope="col">Afterwards</th></tr></thead>
      <tbody>{changed.map((name) => <tr key={name} class="changed"><th scope="row">{plain(name)}</th><td><del>{worded(found?.[name])}</del></td><td><ins>{worded(parameters[name])}</ins></td></tr>)}</tbody>
    </table></div>}
    <Values caption="Called with" fields={others(parameters)} />
    {found ? <Values caption="There now" fields={others(found).map(([name, value]) => [name, value, writes.includes(name)])} /> : shown?.found !== undefined && <><h4>There now</h4><pre class="bytes">{worded(shown.found)}</pre></>}
  </>;
}

function Values({ caption, fields }: { readonly caption: string; readonly fields: readonly (readonly [string, unknown, boolean?])[] }): JSX.Element {
  if (fields.length === 0) return <></>;
  return <div class="wide"><table class="changes"><caption>{caption}</caption><tbody>{fields.map(([name, value, changes]) => <tr key={name}><th scope="row">{plain(name)}</th><td>{worded(value)}{changes && <span class="mark">the action changes this</span>}</td></tr>)}</tbody></table></div>;
}

/** One read of the run, fetched when somebody opens it. */
export function Saw({ holdId, read }: { readonly holdId: string; readonly read: { readonly decisionId: string; readonly action: string; readonly parameters: string } }): JSX.Element {
  const [text, setText] = useState<string | undefined>(undefined);
  const [more, setMore] = useState(0);
  const load = async (chunk: number): Promise<void> => {
    const { text: next } = await ask<{ text: string | null }>('GET', `/holds/${holdId}/saw/${read.decisionId}?chunk=${chunk}`);
    setText((before: string | undefined) => (before ?? '') + (next ?? ''));
    setMore(next === null || next.length < 15_000 ? 0 : chunk + 1);
  };
  return <details class="untrusted" onToggle={(event: Event) => { if ((event.currentTarget as HTMLDetailsElement).open && text === undefined) void load(0).catch(() => setText('it could not be loaded')); }}>
    <summary>{plain(read.action)} <code>{seen(read.parameters)}</code><span class="mark">unverified text</span></summary>
    <pre>{text === undefined ? 'Loading…' : seen(indented(text))}</pre>
    {more > 0 && <button type="button" onClick={() => void load(more)}>More</button>}
  </details>;
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // a part of something larger
  }
}
