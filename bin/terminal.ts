// The SDK's warning about future Node versions belongs to whoever upgrades it, not to a reader of this output.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/** Colour only on a terminal that has not asked for none. */
const coloured = (stream: NodeJS.WriteStream): boolean => stream.isTTY === true && process.env.NO_COLOR === undefined;
const paint = (code: number) => (text: string, stream: NodeJS.WriteStream = process.stdout): string => (coloured(stream) ? `\u001b[${code}m${text}\u001b[0m` : text);

export const green = paint(32);
export const red = paint(31);
export const dim = paint(2);
export const bold = paint(1);

/** A line on standard error that the next one replaces, on a terminal; nothing elsewhere. */
export function progressLine(): { tell(text: string): void; end(): void } {
  const live = process.stderr.isTTY === true;
  return {
    tell: (text) => { if (live) process.stderr.write(`\r\u001b[K${text}`); },
    end: () => { if (live) process.stderr.write('\r\u001b[K'); },
  };
}
