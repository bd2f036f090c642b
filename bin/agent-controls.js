#!/usr/bin/env node
'use strict';
// The command line is a bundle that `npm ci` (in a checkout) or the package itself (once installed) brings.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const bundle = join(__dirname, '..', 'dist', 'bin', 'agent-controls.js');
if (!existsSync(bundle)) {
  process.stderr.write('agent-controls is not built: run npm run build:bundles\n');
  process.exit(2);
}
require(bundle);
