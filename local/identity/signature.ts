import { createHash, timingSafeEqual } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import type { OpenRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import type { Principal, Principals } from './principals';

/** How far the signer's clock may be off, as on AWS. */
const SKEW_MS = 15 * 60_000;

/** Checks a request's Signature Version 4 by signing it again with the keys it names. Returns who signed, and for which service. */
export async function authenticate(request: OpenRequest, principals: Principals, region: string, now: number): Promise<{ principal: Principal; service: string }> {
  const { authorization = '' } = request.headers;
  const [, accessKeyId, date, signedRegion, service, names, signature] = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request,\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})$/.exec(authorization) ?? [];
  if (accessKeyId === undefined || names === undefined || signature === undefined || service === undefined || signedRegion === undefined) {
    throw new ServiceError('MissingAuthenticationTokenException', 'the request is not signed with Signature Version 4', 403);
  }
  const principal = principals.byKey(accessKeyId);
  if (!principal) throw new ServiceError('UnrecognizedClientException', 'the access key is not known to this local runtime; a restart makes new ones', 403);
  if ((request.headers['x-amz-security-token'] ?? undefined) !== principal.sessionToken) throw new ServiceError('UnrecognizedClientException', 'the session token does not belong to the access key', 403);
  if (signedRegion !== region) throw new ServiceError('SignatureDoesNotMatch', `the request is signed for ${signedRegion}, this runtime plays ${region}`, 403);
  const signingDate = parseDate(request.headers['x-amz-date'] ?? '');
  if (!signingDate || !request.headers['x-amz-date']?.startsWith(date ?? '-') || Math.abs(signingDate.getTime() - Date.now()) > SKEW_MS) {
    throw new ServiceError('RequestExpired', 'the date of the signature is missing or more than 15 minutes off', 403);
  }
  if (principal.expiresAt !== undefined && principal.expiresAt <= now) throw new ServiceError('ExpiredTokenException', 'the session is over', 403);

  const signed = names.split(';');
  if (!signed.includes('host')) throw new ServiceError('SignatureDoesNotMatch', 'the host header is not signed', 403);
  // A signed digest stands for the body, so the body must have it.
  const digest = request.headers['x-amz-content-sha256'];
  if (digest !== undefined && digest !== createHash('sha256').update(request.body).digest('hex')) throw new ServiceError('XAmzContentSHA256Mismatch', 'the body does not have the digest that is signed', 400);
  const query: Record<string, string | string[]> = {};
  for (const key of new Set(request.query.keys())) query[key] = request.query.getAll(key);
  const signer = new SignatureV4({ service, region, credentials: principal, sha256: Sha256, applyChecksum: signed.includes('x-amz-content-sha256'), uriEscapePath: service !== 's3' });
  const again = await signer.sign(new HttpRequest({
    method: request.method, protocol: 'http:', hostname: '127.0.0.1', path: request.path, query, body: request.body,
    headers: Object.fromEntries(signed.map((name) => [name, request.headers[name] ?? ''])),
  }), { signingDate, signableHeaders: new Set(signed), unsignableHeaders: new Set() });
  const expected = /Signature=([0-9a-f]{64})/.exec(again.headers.authorization ?? '')?.[1] ?? '';
  if (expected.length !== signature.length || !timingSafeEqual(Buffer.from(expected), Buffer.from(signature))) {
    throw new ServiceError('SignatureDoesNotMatch', 'the signature does not match the request', 403);
  }
  return { principal, service };
}

function parseDate(text: string): Date | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  return match ? new Date(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`) : undefined;
}
