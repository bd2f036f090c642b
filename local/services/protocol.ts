import type { SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';

/** Operation of an AWS JSON 1.x request. */
export function targetOf(request: SignedRequest): string {
  return (request.headers['x-amz-target'] ?? '').split('.').pop() ?? '';
}

/** Body of an AWS JSON or REST JSON request. */
export function jsonOf<T>(request: SignedRequest): T {
  try {
    return JSON.parse(request.body.toString('utf8') || '{}') as T;
  } catch {
    throw new ServiceError('SerializationException', 'the body is not JSON');
  }
}

/** Parameters of an AWS query request. */
export function formOf(request: SignedRequest): URLSearchParams {
  return new URLSearchParams(request.body.toString('utf8'));
}

/** Text inside XML. */
export function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
