import { contactsIn } from '../provenance/free-text';
import { namedIn } from '../provenance/named';
import type { VerifierQuestion } from './verify-handler';

/** Words of people who want something done before anybody thinks. */
const PRESSURE = /\b(?:urgent(?:ly)?|immediately|right away|act now|final notice|password|passcode|one[- ]time code|gift ?cards?|wire|crypto|bitcoin|do not tell|keep (?:this|it) (?:secret|confidential)|verifier|approver|approved already|ignore (?:all|any|the|your|previous))\b/iu;

/**
 * A verifier without a model: the same answer to the same call, on this machine as deployed. It refuses text that leads somewhere the request
 * does not name, is unsure of text that presses, and approves the rest.
 */
export function handler({ parameters, resolved, request }: VerifierQuestion): Promise<{ verdict: 'approve' | 'reject' | 'unsure'; reason: string; version: string }> {
  const answer = (verdict: 'approve' | 'reject' | 'unsure', reason: string): Promise<{ verdict: 'approve' | 'reject' | 'unsure'; reason: string; version: string }> => Promise.resolve({ verdict, reason, version: 'rules@1' });
  if (request === null) return answer('unsure', 'nobody who can be trusted asked for anything');
  for (const [name, value] of [...Object.entries(parameters), ...textsIn(resolved).map((text) => ['what would run', text] as const)]) {
    if (typeof value !== 'string') continue;
    const text = plain(value);
    if (text === value) continue; // no free text: the gate has compared it already
    if (contactsIn(text).some((found) => !namedIn(request, found.type, found.value))) return answer('reject', `${name} leads to an address, an account or a number that the request does not name`);
    const pressing = PRESSURE.exec(text)?.[0];
    if (pressing !== undefined) return answer('unsure', `${name} says "${pressing}"; a person should read it`);
  }
  return answer('approve', 'the texts lead nowhere else and press nobody');
}

function textsIn(value: unknown): string[] {
  return typeof value === 'string' ? [value] : typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** A marked text as it was written. */
function plain(marked: string): string {
  return /^<<data-[0-9a-f]{16}>>([\s\S]*)<<\/data-[0-9a-f]{16}>>$/u.exec(marked)?.[1]?.replaceAll('\u02c6', ' ') ?? marked;
}
