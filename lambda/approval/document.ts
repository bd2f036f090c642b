import { html } from 'hono/html';
import { authorizationServer, directory } from './directory';

/** The page as it is sent to anybody: where to sign in, and nothing of any hold. */
export async function documentOf(): Promise<string> {
  const { authorization_endpoint: endpoint = '', end_session_endpoint: end = '' } = await authorizationServer();
  const of = directory();
  const scopes = of.kind === 'cognito' ? ['openid'] : of.scopes;
  return String(await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Approvals</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/approve/page.css">
<script type="module" src="/approve/page.js"></script>
</head>
<body data-authorize="${endpoint}" data-client="${of.clientId}" data-scopes="${scopes.join(' ')}" data-end="${of.kind === 'cognito' ? end : ''}" data-local="${of.issuer.startsWith('http://') ? 'true' : ''}">
<div id="page"><main><p>This page needs JavaScript.</p></main></div>
</body>
</html>`);
}
