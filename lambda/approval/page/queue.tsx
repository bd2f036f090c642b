import { useEffect, useState } from 'hono/jsx/dom';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { Countdown } from './countdown';
import { ask, Refused } from './session';
import { plain, seen } from './words';

interface Waiting { readonly holdId: string; readonly agent: string; readonly action: string; readonly tier: string; readonly secondsLeft: number; readonly people: number; readonly approvals: number }
interface Queue { readonly you: { readonly name: string; readonly groups: readonly string[] }; readonly open: number; readonly mark: string; readonly holds: readonly Waiting[] }

const SOONEST_MS = 5_000;
const LATEST_MS = 60_000;

/** Everything that waits for the reader. Asks again only while somebody looks, less and less often, and asks the state machine and not the database. */
export function QueueView({ open, failed }: { readonly open: (holdId: string) => void; readonly failed: (error: Refused) => void }): JSX.Element {
  const [queue, setQueue] = useState<{ readonly of: Queue; readonly since: number } | undefined>(undefined);
  useEffect(() => {
    let timer = 0;
    let pause = SOONEST_MS;
    let mark = '';
    let ended = false;
    const load = async (): Promise<void> => {
      const of = await ask<Queue>('GET', '/holds');
      if (ended) return;
      mark = of.mark;
      setQueue({ of, since: performance.now() });
    };
    const look = async (): Promise<void> => {
      clearTimeout(timer);
      if (ended || document.visibilityState !== 'visible') return;
      try {
        if (mark === '' || (await ask<Queue>('GET', '/open')).mark !== mark) {
          await load();
          pause = SOONEST_MS;
        } else pause = Math.min(pause * 1.5, LATEST_MS);
      } catch (error) {
        if (error instanceof Refused && (error.status === 401 || error.status === 403)) { failed(error); return; }
        pause = LATEST_MS;
      }
      timer = window.setTimeout(() => void look(), pause);
    };
    const shown = (): void => { pause = SOONEST_MS; void look(); };
    document.addEventListener('visibilitychange', shown);
    void look();
    return (): void => { ended = true; clearTimeout(timer); document.removeEventListener('visibilitychange', shown); };
  }, []);

  if (!queue) return <p role="status">Looking what waits…</p>;
  const { you, holds } = queue.of;
  return <>
    <p class="who">{`${seen(you.name)} · ${you.groups.length > 0 ? you.groups.join(', ') : 'in no group of approvers'}`}</p>
    <p role="status">{holds.length === 0 ? 'Nothing waits for you.' : holds.length === 1 ? 'One call waits for you.' : `${holds.length} calls wait for you.`}</p>
    <ul class="queue">
      {holds.map((hold) => <li key={hold.holdId}>
        <a href={`?hold=${hold.holdId}`} onClick={(event: Event) => { event.preventDefault(); open(hold.holdId); }}>
          <strong>{plain(hold.action)}</strong>
          <span class="by">{hold.agent}</span>
          <span class="by">{`${hold.tier}${hold.people > 1 ? ` · ${hold.approvals} of ${hold.people} approved` : ''}`}</span>
          <Countdown seconds={hold.secondsLeft} since={queue.since} />
        </a>
      </li>)}
    </ul>
  </>;
}
