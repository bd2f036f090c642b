import type { Block, ModelRequest } from './converse';

/** Formats of documents that are text. */
const TEXT = new Set(['txt', 'md', 'csv', 'html', 'json', 'xml', 'yaml', 'plain', 'markdown', 'x-markdown', 'tab-separated-values', 'tsv']);

/** Decodes files that are text, so that they are looked into like any other, and says whether something is left that nobody can look into. */
export function filesOf(request: ModelRequest): { readonly request: ModelRequest; readonly isOpaque: boolean } {
  let isOpaque = false;
  const opened = (document: NonNullable<Block['document']>): NonNullable<Block['document']> => {
    const { bytes, text } = document.source ?? {};
    if (typeof text === 'string' && bytes === undefined) return document;
    const decoded = TEXT.has((document.format ?? '').toLowerCase()) && typeof bytes === 'string' ? Buffer.from(bytes, 'base64').toString('utf8') : undefined;
    if (decoded === undefined || decoded.includes('\ufffd')) {
      isOpaque = true;
      return document;
    }
    return { ...document, source: { text: decoded } };
  };
  const part = <T extends { readonly image?: unknown; readonly document?: Block['document'] }>(of: T): T => {
    if (of.image !== undefined) isOpaque = true;
    return of.document ? { ...of, document: opened(of.document) } : of;
  };
  const messages = request.messages.map(({ role, content }) => ({ role, content: content.map((block): Block => part(block.toolResult ? { ...block, toolResult: { ...block.toolResult, content: block.toolResult.content.map(part) } } : block)) }));
  return { request: { ...request, messages }, isOpaque };
}
