import { Token } from 'aws-cdk-lib';
import { ControlsError } from '../scope/controls-error';

const SECRET_VALUES: readonly RegExp[] = [
  /^(AKIA|ASIA)[A-Z0-9]{16}$/, // AWS access key id
  /^(sk|rk|pk)[-_](live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}$/, // Stripe, OpenAI, Anthropic
  /^gh[pousr]_[A-Za-z0-9]{30,}$/, // GitHub
  /^xox[abprs]-[A-Za-z0-9-]{10,}$/, // Slack
  /^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/, // JWT
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /^SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}$/, // SendGrid
];

/**
 * Refuses a secret as the value of an environment variable: it would stand in the template, in the console and in every copy of both.
 *
 * @throws `SecretInEnvironment`, naming the variable and never the value.
 */
export function refuseSecrets(actionName: string, environment: { [key: string]: string }): void {
  for (const [name, value] of Object.entries(environment)) {
    if (Token.isUnresolved(value)) continue; // a reference to something deployed, such as the name of a secret
    if (/(password|passwd|api_?key|token|private_?key)$/i.test(name) || SECRET_VALUES.some((pattern) => pattern.test(value))) {
      throw new ControlsError('SecretInEnvironment', `environment.${name} of ${actionName} looks like a secret; put it into Secrets Manager, give the action the secret's name, and secret.grantRead(action)`);
    }
  }
}
