import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Assumes a role through the endpoint, as any program would. */
export async function assumeRole(options: { readonly endpoint: string; readonly region: string; readonly roleArn: string; readonly sessionName: string; readonly keys: Keys }): Promise<Keys> {
  const sts = new STSClient({ endpoint: options.endpoint, region: options.region, credentials: options.keys });
  try {
    const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn: options.roleArn, RoleSessionName: options.sessionName, DurationSeconds: 3_600 }));
    return { accessKeyId: Credentials?.AccessKeyId ?? '', secretAccessKey: Credentials?.SecretAccessKey ?? '', sessionToken: Credentials?.SessionToken ?? '' };
  } finally {
    sts.destroy();
  }
}
