// @ts-check
// One instance of a function: loads the template's own bundle and answers one event at a time, in a process and an environment of
// its own. Ends with the parent.
'use strict';
const { join } = require('node:path');
const { Writable } = require('node:stream');

const [folder, handlerName] = process.argv.slice(2);
const [file, exported] = /** @type {string} */ (handlerName).split('.');

/** What Lambda's runtime has for functions that answer in streams: the head first, then pieces, as messages to the parent. */
const streamed = Symbol('streamed');
/** @type {any} */ (globalThis).awslambda = {
  streamifyResponse: (/** @type {Function} */ handle) => Object.assign(handle, { [streamed]: true }),
  HttpResponseStream: { from: (/** @type {any} */ stream, /** @type {object} */ metadata) => { stream.send({ head: metadata }); return stream; } },
};

/** @param {(part: object) => void} send */
function streamTo(send) {
  return Object.assign(new Writable({ write: (chunk, _, done) => { send({ chunk: Buffer.from(chunk).toString('base64') }); done(); } }), { send });
}

// What would leave for a model provider is answered by the runtime's stub: a prompt never leaves this machine.
const stub = process.env.LOCAL_MODEL_STUB;
if (stub !== undefined) {
  const away = globalThis.fetch;
  globalThis.fetch = (address, options = {}) => away(stub, { ...options, headers: { .../** @type {Record<string, string>} */ (options.headers ?? {}), 'x-local-address': String(address) } });
}

/** @type {((event: unknown, ...rest: unknown[]) => unknown) | undefined} */
let handler;
/** @type {unknown} */
let broken;
try {
  handler = require(join(/** @type {string} */ (folder), /** @type {string} */ (file)))[/** @type {string} */ (exported)];
} catch (error) {
  broken = error;
}

process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {}); // the parent ends in order
process.on('message', async (/** @type {{ id: number, event: unknown, deadline: number }} */ { id, event, deadline }) => {
  try {
    if (!handler) throw broken ?? new Error(`${handlerName} exports no function`);
    const context = { awsRequestId: String(id), functionName: process.env.AWS_LAMBDA_FUNCTION_NAME, getRemainingTimeInMillis: () => deadline - Date.now() };
    const result = await (/** @type {any} */ (handler)[streamed] ? handler(event, streamTo((part) => process.send?.({ id, part })), context) : handler(event, context));
    process.send?.({ id, payload: JSON.stringify(result) ?? 'null' });
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    // As Lambda writes down what a handler did not catch.
    console.error(JSON.stringify({ level: 'ERROR', errorType: name, errorMessage: message, stackTrace: stack }));
    process.send?.({ id, error: true, payload: JSON.stringify({ errorType: name, errorMessage: message, trace: (stack ?? '').split('\n').slice(0, 5) }) });
  }
});
process.send?.({ ready: true });
