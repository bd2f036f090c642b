import { useState } from 'hono/jsx/dom';
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Hold } from './hold';
import { ask, Refused, signIn } from './session';

/** Approves, rejects, or proposes something else, with a reason that is recorded. The digest says what was shown. */
export function Decide({ hold, reload, open, failed }: { readonly hold: Hold; readonly reload: () => Promise<void>; readonly open: (holdId: string) => void; readonly failed: (error: Refused) => void }): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<{ readonly code: string; readonly message: string } | undefined>(undefined);
  const [changing, setChanging] = useState(false);

  const send = async (what: 'approve' | 'reject' | 'change', form: HTMLFormElement): Promise<void> => {
    const said = new FormData(form);
    const field = (name: string): string => { const value = said.get(name); return typeof value === 'string' ? value : ''; };
    const reason = field('reason').trim();
    if (reason === '') { setFault({ code: 'ReasonMissing', message: 'Say why: it stands in the log.' }); (form.elements.namedItem('reason') as HTMLElement).focus(); return; }
    setBusy(true);
    try {
      if (what === 'change') {
        const { holdId } = await ask<{ holdId?: string }>('POST', `/holds/${hold.holdId}/changes`, changeOf(hold.digest, field('parameters'), reason));
        if (holdId !== undefined) { open(holdId); return; }
      } else await ask('POST', `/holds/${hold.holdId}/verdict`, { verdict: what, digest: hold.digest, reason });
      await reload();
    } catch (error) {
      const { code, message, status } = error instanceof Refused ? error : { code: 'Failed', message: error instanceof Error ? error.message : 'it failed', status: 0 };
      if (status === 401 && code !== 'SignInStale') failed(error as Refused);
      else setFault({ code, message });
    } finally {
      setBusy(false);
    }
  };
  const press = (what: 'approve' | 'reject' | 'change') => (event: Event): void => { event.preventDefault(); void send(what, (event.currentTarget as HTMLButtonElement).form as HTMLFormElement); };

  return <form class="decide" aria-label="Decide" onSubmit={(event: Event) => event.preventDefault()}>
    <h3>Decide</h3>
    {fault && <p role="alert" class="fault">{fault.message}{fault.code === 'SignInStale' && <> <button type="button" onClick={() => void signIn(true)}>Sign in again</button></>}</p>}
    {changing && <><label for="parameters">Parameters, as JSON. Somebody else must approve what you change.</label>
      <textarea id="parameters" name="parameters" rows={8} spellcheck={false}>{JSON.stringify(hold.parameters, null, 2)}</textarea></>}
    <label for="reason">Reason; it stands in the log</label>
    <textarea id="reason" name="reason" rows={2} maxlength={2_000} required />
    <p class="buttons">
      {!changing && <button type="button" class="approve" disabled={busy} onClick={press('approve')}>Approve</button>}
      <button type="button" class="reject" disabled={busy} onClick={press('reject')}>Reject</button>
      {changing ? <button type="button" disabled={busy} onClick={press('change')}>Reject and propose this</button> : !hold.reverses && <button type="button" disabled={busy} onClick={() => setChanging(true)}>Change…</button>}
    </p>
  </form>;
}

/** The very text that was written: read and written again, a number could become another one before anybody refuses it. */
function changeOf(digest: string, text: string, reason: string): string {
  try {
    JSON.parse(text);
    return `{"digest":${JSON.stringify(digest)},"reason":${JSON.stringify(reason)},"parameters":${text}}`;
  } catch {
    throw new Refused('NotJson', 0, 'The parameters are not JSON.');
  }
}
