import { createHash, createPublicKey, KeyObject } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { jwtVerify } from 'jose';
import { required } from '../database/connection';

/*
 * What a run shows the model gateway: a token that the broker signs with a key that never leaves KMS, and that anybody can check. The gateway has an
 * address of its own, so whoever has no token must not get as far as the database.
 */

/** Whom a token is for. */
const AUDIENCE = 'gateway';

const issuer = (): string => `urn:agent-controls:${required('CONTROLS_NAME')}`;

/** Who asks. */
export interface Bearer { readonly run: string; readonly agent: string }

/** A token for one run, for as long as the run lasts. */
export async function gatewayToken({ run, agent }: Bearer, issuedAt: Date, expiresAt: Date): Promise<string> {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = (time: Date): number => Math.floor(time.getTime() / 1_000);
  const signed = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode({ iss: issuer(), aud: AUDIENCE, sub: agent, run, iat: seconds(issuedAt), exp: Math.min(seconds(expiresAt), seconds(issuedAt) + 3_600) })}`;
  const { Signature } = await new KMSClient({}).send(new SignCommand({ KeyId: required('GATEWAY_KEY_ARN'), MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256', Message: createHash('sha256').update(signed).digest() }));
  return `${signed}.${raw(Buffer.from(Signature as Uint8Array)).toString('base64url')}`;
}

/** KMS writes a signature in DER, a token has its two numbers one after the other. */
function raw(der: Buffer): Buffer {
  const number = (at: number): Buffer => der.subarray(at + 2, at + 2 + (der[at + 1] ?? 0));
  const r = number(2);
  const s = number(4 + r.length);
  const fixed = (value: Buffer): Buffer => Buffer.concat([Buffer.alloc(32), value]).subarray(-32);
  return Buffer.concat([fixed(r), fixed(s)]);
}

let key: Promise<KeyObject> | undefined;

async function publicKey(): Promise<KeyObject> {
  const { PublicKey } = await new KMSClient({}).send(new GetPublicKeyCommand({ KeyId: required('GATEWAY_KEY_ARN') }));
  return createPublicKey({ key: Buffer.from(PublicKey as Uint8Array), format: 'der', type: 'spki' });
}

/** Who a token is of; undefined when it is none of this gateway's, or over. */
export async function bearerOf(authorization: string | undefined, now: Date): Promise<Bearer | undefined> {
  const token = /^Bearer ([\w-]{1,200}\.[\w-]{1,1000}\.[\w-]{86})$/.exec(authorization ?? '')?.[1];
  if (token === undefined) return undefined;
  key ??= publicKey();
  const checked = key;
  checked.catch(() => { key = undefined; }); // and asked for again
  const verifying = await checked;
  try {
    const { payload } = await jwtVerify(token, verifying, { issuer: issuer(), audience: AUDIENCE, algorithms: ['ES256'], requiredClaims: ['sub', 'run', 'exp', 'iat'], maxTokenAge: '1h', currentDate: now });
    return { run: String(payload.run), agent: payload.sub ?? '' };
  } catch {
    return undefined;
  }
}
