/** A real browser, where the machine has one; `CHROME_PATH` names another. */
import { existsSync } from 'node:fs';
import { Browser, chromium, Page } from 'playwright-core';

export const BROWSER = [process.env.CHROME_PATH ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'].find((path) => path !== '' && existsSync(path));

// It talks to the page under test and to nobody else.
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

export const launch = (): Promise<Browser> => chromium.launch({ ...(BROWSER === undefined ? {} : { executablePath: BROWSER }), args: QUIET });

/** What axe finds, as lines that say where. It runs outside of the page's content security policy. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  const { source } = await import('axe-core');
  return page.evaluate(`${source}; axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ' at ' + target + ': ' + failureSummary)))`);
}
