/** Strings that somebody writes on purpose. */
export const HOSTILE: readonly string[] = [
  "leads'; drop table leads; --", 'leads"; drop table leads; --', 'leads" (phone) --', 'pg_catalog.pg_authid.x', 'leads;', 'leads\nphone', 'leads\u0000', 'Leads', 'le ads', '*', '', 'leads.', '.leads', 'ꞌleads', 'leads/**/', '$$leads$$', '\\leads', 'a'.repeat(64), '\ud800',
];
