import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { Secret } from '../redaction/detect';

/** What an examiner's function is asked: every text of a call. */
export interface Examination { readonly texts: readonly string[] }
/** What it answers: where in which text data of a class is. */
export interface Examined { readonly found: readonly { readonly text: number; readonly start: number; readonly end: number; readonly dataClass: string }[] }

/**
 * Asks the functions that the app has for finding what no pattern finds, such as names or diagnoses: Comprehend, a guardrail, a model of one's own. What
 * they cannot say blocks the call.
 */
export async function examine(request: object): Promise<(text: string) => readonly Secret[]> {
  const functions = JSON.parse(process.env.EXAMINERS ?? '[]') as readonly string[];
  if (functions.length === 0) return () => [];
  const texts = [...new Set(stringsOf(request))];
  const client = new LambdaClient({ maxAttempts: 2 });
  const found = new Map<string, Secret[]>();
  await Promise.all(functions.map(async (FunctionName) => {
    const { FunctionError, Payload } = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ texts } satisfies Examination) }), { abortSignal: AbortSignal.timeout(20_000) });
    const answer = JSON.parse(Payload?.transformToString() ?? 'null') as Partial<Examined> | null;
    if (FunctionError !== undefined || !Array.isArray(answer?.found)) throw new Error('ExaminerFailed');
    for (const { text, start, end, dataClass } of answer.found as Examined['found']) {
      const of = texts[text];
      if (of === undefined || !(start >= 0 && end > start && end <= of.length) || typeof dataClass !== 'string') throw new Error('ExaminerFailed');
      found.set(of, [...found.get(of) ?? [], { kind: dataClass, start, end }]);
    }
  }));
  // Texts are also looked at put together, so what was found in one is found wherever it stands.
  return (text) => [...found].flatMap(([of, secrets]) => {
    const at = text.indexOf(of);
    return at < 0 ? [] : secrets.map(({ kind, start, end }) => ({ kind, start: at + start, end: at + end }));
  });
}

function stringsOf(value: unknown): string[] {
  return typeof value === 'string' ? [value] : typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}
