import { deny, isRefused, nothingBefore, probeOf } from '../kill/sessions';
import type { Dead } from './credential';

/** How long a refusal is waited for; IAM tells its hosts within seconds, and the API cuts the call at thirty. */
const PATIENCE_MS = 10_000;
/** A policy arrives at one host after the other: one refusal may have met the first. */
const REFUSED_FOR_MS = 1_200;

/** Denies sessions of an agent's role that were handed out before now, and waits to see one refused that was let through before. */
export async function endSessionsOf(agent: string): Promise<Dead> {
  const what = 'sessions';
  const probe = await probeOf(agent).then(async (session) => ({ session, opened: !await isRefused(session) }), (error: unknown) => (error instanceof Error ? error : new Error('unknown')));
  // STS tells time in seconds: a session of this second is from before.
  const now = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 1_000);
  await deny(agent, nothingBefore(now), 'leaked');
  const denied = `sessions handed out before ${now.toISOString()} are denied`;
  if (probe instanceof Error) return { what, state: 'propagating', evidence: `${denied}; there was no session to see it refused with: ${probe.name}` };
  let since = 0;
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline;) {
    since = await isRefused(probe.session) ? since || Date.now() : 0;
    // A session of the next second works: whoever is told that this is done may begin anew.
    if (since > 0 && Date.now() - since >= REFUSED_FOR_MS && Date.now() > now.getTime()) return { what, state: 'proven', evidence: `${denied}, and one is refused, again and again${probe.opened ? '; it was let through before' : ''}` };
    await new Promise((later) => setTimeout(later, 300));
  }
  return { what, state: 'propagating', evidence: `${denied}; one from before is not refused yet` };
}
