import { Duration } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ControlsError } from '../scope/controls-error';

/**
 * A principal that may assume a role of people: signed in with MFA, not long ago.
 *
 * @throws `OperatorNotAPerson` for a service, and for an agent's role.
 */
export function personWithMfa(principal: iam.IPrincipal, signedInWithin: Duration, more: Readonly<Record<string, Readonly<Record<string, string>>>> = {}): iam.PrincipalWithConditions {
  const { principalJson } = principal.policyFragment;
  const names = Object.values(principalJson).flat();
  if (principalJson.Service !== undefined || names.some((name) => /:role\/.*-agent-/.test(String(name)))) {
    throw new ControlsError('OperatorNotAPerson', `${JSON.stringify(principalJson)} is a service or an agent, and neither signs in; name people: a role of theirs, users, or the account`);
  }
  return new iam.PrincipalWithConditions(principal, {
    Bool: { 'aws:MultiFactorAuthPresent': 'true' },
    NumericLessThan: { 'aws:MultiFactorAuthAge': String(signedInWithin.toSeconds()) },
    ...more,
  });
}
