import { useEffect, useState } from 'hono/jsx/dom';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { left } from './words';

/** What is left, counted down from what the control plane said was left: the reader's clock may be wrong. A screen reader is not told every second. */
export function Countdown({ seconds, since }: { readonly seconds: number; readonly since: number }): JSX.Element {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count: number) => count + 1), 1_000);
    return (): void => clearInterval(timer);
  }, []);
  const now = seconds - (performance.now() - since) / 1_000;
  return <span class={now < 60 ? 'countdown soon' : 'countdown'} role="timer">{left(now)}</span>;
}
