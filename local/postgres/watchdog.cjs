// @ts-check
// Runs a Postgres server for as long as its standard input stays open. The pipe closes when the parent ends, however it ends, so
// a SIGKILL of the parent leaves no server behind.
'use strict';
const { spawn } = require('node:child_process');

const [binary, dataDir, uid, gid, ...args] = process.argv.slice(2);
const identity = uid === '-' ? {} : { uid: Number(uid), gid: Number(gid) };
const server = spawn(/** @type {string} */ (binary), ['-D', /** @type {string} */ (dataDir), ...args], { stdio: ['ignore', 'inherit', 'inherit'], detached: true, cwd: '/', ...identity });

let stopping = false;
function stop() {
  if (stopping) return;
  stopping = true;
  server.kill('SIGINT'); // fast shutdown: roll back, checkpoint, exit
  setTimeout(() => server.kill('SIGQUIT'), 10_000).unref();
}
process.stdin.on('end', stop).on('error', stop).resume();
process.on('SIGINT', () => {}); // Ctrl-C reaches the whole group; the parent stops in order
process.on('SIGTERM', stop);
server.on('exit', (code) => process.exit(code ?? 1));
server.on('error', () => process.exit(127));
