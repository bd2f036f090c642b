/** What a look found: something, or that the row is not there. */
export type Look = { readonly found: unknown } | { readonly gone: true };

/** What `before` sees now; a row that it expects and that is not there is an answer, too. */
export async function lookAt(look: () => Promise<unknown>): Promise<Look> {
  try {
    return { found: plain(await look()) };
  } catch (error) {
    if (error instanceof Error && /^RowMissing: .*got 0$/.test(error.message)) return { gone: true };
    throw error;
  }
}

/** Looks are kept as JSON and compared as such: what JSON makes nothing of would always be the same. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) value.forEach(plain);
  else if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) throw new Error(`LookInvalid: before must return plain data, got a ${(value).constructor.name}; return what it holds`);
  else Object.values(value).forEach(plain);
  return value;
}
