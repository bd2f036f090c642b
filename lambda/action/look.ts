/** What a look found: something, or that the row is not there. */
export type Look = { readonly found: unknown } | { readonly gone: true };

/** What `before` sees now; a row that it expects and that is not there is an answer, too. */
export async function lookAt(look: () => Promise<unknown>): Promise<Look> {
  try {
    return { found: await look() };
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('RowMissing')) return { gone: true };
    throw error;
  }
}
