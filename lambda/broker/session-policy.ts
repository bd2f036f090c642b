import { CROWN_JEWELS } from '../../lib/scope/compile-aws';

/**
 * The session policy of every run: small, fixed, and a third refusal of the crown jewels should role and boundary ever be too
 * wide. STS takes 2,048 characters.
 */
export const SESSION_POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: '*', Resource: '*' },
    { Effect: 'Deny', Action: CROWN_JEWELS, Resource: '*' },
    { Effect: 'Deny', Action: 'execute-api:Invoke', NotResource: ['arn:*:execute-api:*:*:*/*/POST/calls', 'arn:*:execute-api:*:*:*/*/GET/holds/*'] },
  ],
});
