import { useEffect, useState } from 'hono/jsx/dom';
import { render } from 'hono/jsx/dom';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { HoldView } from './hold';
import { QueueView } from './queue';
import { finishSignIn, isSignedIn, Refused, signIn, signOut } from './session';

const heldIn = (): string => new URLSearchParams(location.search).get('hold') ?? '';

function Page({ fault }: { readonly fault: string }): JSX.Element {
  const [holdId, setHoldId] = useState(heldIn());
  const [out, setOut] = useState(isSignedIn() ? '' : fault || 'Sign in to see what waits.');
  const go = (to: string): void => {
    history.pushState(null, '', to === '' ? '/approve' : `?hold=${to}`);
    setHoldId(to);
    document.querySelector('h1')?.focus();
    scrollTo(0, 0);
  };
  useEffect(() => {
    const moved = (): void => setHoldId(heldIn());
    addEventListener('popstate', moved);
    return (): void => removeEventListener('popstate', moved);
  }, []);
  const failed = (error: Refused): void => setOut(error.message);
  return <>
    <header>
      {document.body.dataset.local === 'true' && <p class="local">On this machine, for evaluation: nobody checks who you are.</p>}
      <div class="top"><h1 tabindex={-1}>Approvals</h1>{!out && <button type="button" class="quiet" onClick={() => { signOut(); setOut('You are signed out.'); }}>Sign out</button>}</div>
    </header>
    <main>
      {out ? <section class="sign-in"><p role="status">{`${out[0]?.toUpperCase() ?? ''}${out.slice(1)}`}</p><button type="button" class="approve" onClick={() => void signIn()}>Sign in</button></section>
        : holdId ? <HoldView key={holdId} holdId={holdId} back={() => go('')} open={go} failed={failed} /> : <QueueView open={go} failed={failed} />}
    </main>
  </>;
}

async function start(): Promise<void> {
  const fault = await finishSignIn().then(() => '', (error: unknown) => (error instanceof Error ? error.message : 'the sign-in failed'));
  render(<Page fault={fault} />, document.getElementById('page') as HTMLElement);
}

void start();
