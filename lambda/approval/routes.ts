import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Hono } from 'hono';
import { handle } from 'hono/aws-lambda';
import { secureHeaders } from 'hono/secure-headers';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction } from '../database/connection';
import { giveVerdict } from '../hold/give-verdict';
import { shownTo, waiting } from '../hold/shown';
import { Change, SignInCode, Verdict } from '../http/bodies';
import { bodyOf, HttpError, HttpEvent, refusalOf, UUID } from '../http/http';
import { parse } from '../http/parse';
import { proposeInstead } from './change';
import { documentOf } from './document';
import { openHolds } from './open-holds';
import { livePerson, signedIn } from './person';
import { redeem } from './sign-in';

interface Event { readonly Bindings: { readonly event: HttpEvent } }

const app = new Hono<Event>();

// Nothing but this page's own files, no frame around it, and nobody is told where a reader came from.
app.use(secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], connectSrc: ["'self'"], imgSrc: ['data:'], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"], requireTrustedTypesFor: ["'script'"], trustedTypes: ["'none'"] },
  xFrameOptions: 'DENY', referrerPolicy: 'no-referrer', crossOriginOpenerPolicy: 'same-origin', crossOriginResourcePolicy: 'same-origin',
  permissionsPolicy: { camera: [], microphone: [], geolocation: [], payment: [], usb: [] },
}));
app.use(async (c, next) => {
  await next();
  if (!c.res.headers.has('cache-control')) c.header('cache-control', 'no-store');
});
// A token in a header is nothing that a foreign page could send, and a form is nothing that is read here. This is the second fence.
app.use(async ({ req }, next) => {
  const site = req.header('sec-fetch-site');
  if (req.method !== 'GET' && (site ?? 'same-origin') !== 'same-origin') throw new HttpError(403, 'OriginRefused', 'only the page itself may ask this');
  if (req.method !== 'GET' && !/^application\/json(;|$)/.test(req.header('content-type') ?? '')) throw new HttpError(415, 'NotJson', 'application/json is expected');
  await next();
});

const file = (name: string, type: string): void => {
  app.get(`/approve/${name}`, (c) => c.body(readFileSync(join(__dirname, name), 'utf8'), 200, { 'content-type': type, 'cache-control': 'public, max-age=300' }));
};
file('page.js', 'text/javascript; charset=utf-8');
file('page.css', 'text/css; charset=utf-8');

app.get('/approve', async (c) => c.html(await documentOf()));

app.post('/approve/token', async (c) => c.json(await redeem(parse(SignInCode, bodyOf(await c.req.text())))));

// The one question that a page repeats: it asks the state machine, and never wakes the database.
app.get('/approve/open', async (c) => {
  await signedIn(c.req.header('authorization'));
  return c.json(await openHolds());
});

app.get('/approve/holds', async (c) => {
  const { name, groups } = await livePerson(await signedIn(c.req.header('authorization')));
  const open = await openHolds().catch(() => undefined); // asked too often: Postgres knows as well
  return c.json({ you: { name, groups }, ...open, holds: open?.open === 0 || groups.length === 0 ? [] : await waiting(groups) });
});

app.get('/approve/holds/:holdId', async (c) => {
  const { name, groups, fresh } = await livePerson(await signedIn(c.req.header('authorization')));
  const holdId = c.req.param('holdId');
  const shown = await shownTo(groups, holdId);
  return c.json({ you: { name, groups, fresh }, ...shown, ...await callFunction<object>('hold.around', { groups: arg.text(JSON.stringify(groups)), hold: arg.uuid(holdId) }) });
});

app.get('/approve/holds/:holdId/saw/:decisionId', async (c) => {
  const { groups } = await livePerson(await signedIn(c.req.header('authorization')));
  const { holdId, decisionId } = c.req.param();
  const chunk = Number(c.req.query('chunk') ?? 0);
  if (!UUID.test(holdId) || !UUID.test(decisionId) || !Number.isInteger(chunk) || chunk < 0 || chunk > 999) throw new HttpError(404, 'HoldUnknown', 'there is nothing here');
  return c.json({ text: await callFunction<string | null>('hold.saw', { groups: arg.text(JSON.stringify(groups)), hold: arg.uuid(holdId), decision: arg.uuid(decisionId), chunk: arg.int(chunk) }) });
});

app.post('/approve/holds/:holdId/verdict', async (c) => {
  const who = await livePerson(await signedIn(c.req.header('authorization')));
  const verdict = parse(Verdict, bodyOf(await c.req.text()));
  return c.json(await recorded(() => giveVerdict(who, { holdId: known(c.req.param('holdId')), ...verdict })));
});

app.post('/approve/holds/:holdId/changes', async (c) => {
  const who = await livePerson(await signedIn(c.req.header('authorization')));
  const change = parse(Change, bodyOf(await c.req.text()));
  return c.json(await recorded(() => proposeInstead(who, { holdId: known(c.req.param('holdId')), ...change })));
});

function known(holdId: string): string {
  if (!UUID.test(holdId)) throw new HttpError(404, 'HoldUnknown', 'there is no such hold');
  return holdId;
}

/** Refusals are entries, too. */
async function recorded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await anchorSoon();
  }
}

app.notFound((c) => c.json({ error: 'RouteUnknown', message: 'there is nothing here' }, 404));
app.onError((error, c) => {
  const { status, body, headers = {} } = refusalOf(error, c.env.event.requestContext.requestId);
  return c.json(body as object, status as 400, headers);
});

export const page = handle(app) as unknown as (event: HttpEvent) => Promise<object>;
