import { CfnResource } from 'aws-cdk-lib';
import { IConstruct } from 'constructs';

/** Marks what this library made itself, in the template too: a name that begins like the control plane's proves nothing. */
export const OWN = 'cdk-agent-controls';

/** Marks a role or function of the control plane. */
export function markOwn(construct: IConstruct): void {
  (construct.node.defaultChild as CfnResource).addMetadata(OWN, true);
}
