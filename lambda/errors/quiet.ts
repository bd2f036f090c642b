import { errorCode } from './error-code';

/** A handler whose uncaught errors say which they are, and not what they quote: Lambda writes name, message and stack of each into a log. */
export function quiet<E, C, R>(handle: (event: E, context: C) => Promise<R>): (event: E, context: C) => Promise<R> {
  return async (event, context) => {
    try {
      return await handle(event, context);
    } catch (error) {
      throw withoutValues(error);
    }
  };
}

function withoutValues(error: unknown): Error {
  const plain = new Error(errorCode(error));
  if (!(error instanceof Error)) return plain;
  plain.name = error.name;
  // The first lines of a stack are the message again.
  plain.stack = [`${plain.name}: ${plain.message}`, ...(error.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line))].join('\n');
  return plain;
}
