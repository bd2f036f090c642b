// @ts-check
// One instance of a function: loads the template's own bundle and answers one event at a time, in a process and an environment of
// its own. Ends with the parent.
'use strict';
const { join } = require('node:path');

const [folder, handlerName] = process.argv.slice(2);
const [file, exported] = /** @type {string} */ (handlerName).split('.');
/** @type {((event: unknown, context: unknown) => unknown) | undefined} */
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
    const result = await handler(event, context);
    process.send?.({ id, payload: JSON.stringify(result) ?? 'null' });
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    process.send?.({ id, error: true, payload: JSON.stringify({ errorType: name, errorMessage: message, trace: (stack ?? '').split('\n').slice(0, 5) }) });
  }
});
process.send?.({ ready: true });
