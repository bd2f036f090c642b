import { deny, isRefused, nothingBefore, probeOf } from '../kill/sessions';
import type { Dead } from './credential';

/** How long a refusal is waited for; IAM tells its hosts within seconds, and the API cuts the call at thirty. */
const PATIENCE_MS = 10_000;

/** Denies sessions of an agent's role that were handed out before now, and waits to see one refused. */
export async function endSessionsOf(agent: string): Promise<Dead> {
  const what = 'sessions';
  const probe = await probeOf(agent).catch((error: unknown) => (error instanceof Error ? error : new Error('unknown')));
  // STS tells time in seconds: a session of this second is from before.
  const now = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 1_000);
  await deny(agent, nothingBefore(now), 'leaked');
  if (probe instanceof Error) return { what, state: 'propagating', evidence: `sessions handed out before ${now.toISOString()} are denied; there was no session to see it refused with: ${probe.name}` };
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline;) {
    // A session of the next second works: whoever is told that this is done may begin anew.
    if (Date.now() > now.getTime() && await isRefused(probe)) return { what, state: 'proven', evidence: `sessions handed out before ${now.toISOString()} are denied, and one was seen refused` };
    await new Promise((later) => setTimeout(later, 500));
  }
  return { what, state: 'propagating', evidence: `sessions handed out before ${now.toISOString()} are denied; one from before is not refused yet` };
}
