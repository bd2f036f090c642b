/** What people read, and the code that stands in it. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
export const pages = ['README.md', 'local/README.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];
export const read = (page: string): string => readFileSync(join(root, page), 'utf8');
export const blocks = (page: string, language: string): string[] => [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, code]) => code as string);
