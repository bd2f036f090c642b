import { CROWN_JEWELS } from '../../lib/scope/compile-aws';
import { RUN_ROUTES } from '../../lib/scope/names';

/**
 * The session policy of every run: small, fixed, and a third refusal of the crown jewels should role and boundary ever be too
 * wide. STS takes 2,048 characters.
 *
 * @param apiArn of the control plane's HTTP API, without stage and route.
 */
export function sessionPolicy(apiArn: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: '*', Resource: '*' },
      { Effect: 'Deny', Action: CROWN_JEWELS, Resource: '*' },
      { Effect: 'Deny', Action: 'execute-api:Invoke', NotResource: RUN_ROUTES.map(([method, path]) => `${apiArn}/*/${method}${path}`) },
    ],
  });
}
