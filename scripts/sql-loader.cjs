// Lets tsx import SQL files as text, as the bundles do.
'use strict';
const { readFileSync } = require('node:fs');
require.extensions['.sql'] = (module, file) => { module.exports = { __esModule: true, default: readFileSync(file, 'utf8') }; };
