import { AccessKeyMetadata, CreateAccessKeyCommand, DeleteAccessKeyCommand, IAMClient, ListAccessKeysCommand, PutUserPolicyCommand, UpdateAccessKeyCommand } from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { nothingBefore } from '../kill/sessions';
import type { CredentialKind } from './credential';

interface Keys { readonly accessKeyId: string; readonly secretAccessKey: string }

const parse = (value: string): Keys => JSON.parse(value) as Keys;

/** A new key is not known everywhere at once. */
const APPEARS_MS = 15_000;

/** Access keys of one IAM user: two at a time, the old one disabled after a day, deleted before the next is made. */
export function accessKeys(userName: string): CredentialKind {
  const iam = new IAMClient({});
  const all = async (): Promise<AccessKeyMetadata[]> => (await iam.send(new ListAccessKeysCommand({ UserName: userName }))).AccessKeyMetadata ?? [];
  const remove = async (accessKeyId: string | undefined): Promise<void> => {
    await iam.send(new UpdateAccessKeyCommand({ UserName: userName, AccessKeyId: accessKeyId, Status: 'Inactive' }));
    await iam.send(new DeleteAccessKeyCommand({ UserName: userName, AccessKeyId: accessKeyId }));
  };
  /** Every key but the current one, which must be there: without it nobody knows which are in use. */
  const others = async (current: string): Promise<AccessKeyMetadata[]> => {
    const listed = await all();
    const { accessKeyId } = parse(current);
    if (listed.length > 0 && !listed.some(({ AccessKeyId }) => AccessKeyId === accessKeyId)) throw Object.assign(new Error(`KeyUnknown: the secret names a key that ${userName} does not have; write the right one into it`), { name: 'KeyUnknown' });
    return listed.filter(({ AccessKeyId }) => AccessKeyId !== accessKeyId);
  };
  return {
    isLive: false, // IAM lists them
    create: async (current) => {
      // A user has two keys at most: the one before, or one that a process died with before it was kept, makes room.
      for (const { AccessKeyId } of await others(current)) await remove(AccessKeyId);
      const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: userName }));
      return JSON.stringify({ ...(JSON.parse(current) as object), accessKeyId: AccessKey?.AccessKeyId, secretAccessKey: AccessKey?.SecretAccessKey });
    },
    test: async (next) => {
      const sts = new STSClient({ credentials: parse(next) });
      for (const deadline = Date.now() + APPEARS_MS;;) {
        try {
          const { Arn = '' } = await sts.send(new GetCallerIdentityCommand({}));
          if (!Arn.endsWith(`/${userName}`)) throw new Error(`KeyWrong: the new key is that of ${Arn}`);
          return;
        } catch (error) {
          if (!(error instanceof Error) || error.message.startsWith('KeyWrong') || Date.now() > deadline) throw error;
          await new Promise((later) => setTimeout(later, 1_000));
        }
      }
    },
    retire: async (current) => {
      const active = (await others(current)).filter(({ Status }) => Status === 'Active');
      for (const { AccessKeyId } of active) await iam.send(new UpdateAccessKeyCommand({ UserName: userName, AccessKeyId, Status: 'Inactive' }));
      return active.length > 0;
    },
    revoke: async (current) => {
      for (const { AccessKeyId } of await others(current)) await remove(AccessKeyId);
      const left = await all();
      if (left.length !== 1 || left[0]?.AccessKeyId !== parse(current).accessKeyId) throw new Error(`KeyLeft: ${userName} has ${left.length} access keys, and should have the new one alone`);
      const now = new Date();
      await iam.send(new PutUserPolicyCommand({ UserName: userName, PolicyName: 'leaked', PolicyDocument: nothingBefore(now) }));
      return [
        { what: 'keys', state: 'proven', evidence: `IAM lists one access key of ${userName}: the new one` },
        { what: 'sessions', state: 'propagating', evidence: `sessions that ${userName} opened as itself before ${now.toISOString()} are denied; roles that it assumed are those roles' to deny` },
      ];
    },
  };
}
