import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import type { PolicyDocument } from '../identity/principals';
import { jsonOf, targetOf } from './protocol';

/** Private keys by the ARN of the KMS key, as the file that keeps them over a restart. */
export type KeysFile = Record<string, string>;

interface Input { readonly KeyId?: string; readonly Message?: string; readonly MessageType?: string; readonly SigningAlgorithm?: string }

/** KMS: Sign and GetPublicKey, of keys on P-256. */
export class Kms implements Service {
  public readonly protocol = 'json';

  /** @param save called after a key was made. */
  public constructor(private readonly keys: KeysFile, private readonly save: () => void, private readonly aliases: ReadonlyMap<string, string>, private readonly policies: ReadonlyMap<string, PolicyDocument>) {}

  public name(request: SignedRequest): string { return targetOf(request); }

  /** Makes the pair of a key, once. */
  public create(arn: string): void {
    if (this.keys[arn] !== undefined) return;
    this.keys[arn] = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    this.save();
  }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'Sign' && name !== 'GetPublicKey') return undefined;
    const input = jsonOf<Input>(request);
    const arn = this.aliases.get(input.KeyId ?? '') ?? input.KeyId ?? '';
    return {
      permissions: [{ action: `kms:${name}`, resource: arn, resourcePolicy: this.policies.get(arn) }],
      run: async () => {
        const key = this.keys[arn];
        if (key === undefined) throw new ServiceError('NotFoundException', `there is no signing key ${arn}`);
        if (name === 'GetPublicKey') return { body: { KeyId: arn, PublicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64'), KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', SigningAlgorithms: ['ECDSA_SHA_256'] } };
        if (input.MessageType !== 'DIGEST' || input.SigningAlgorithm !== 'ECDSA_SHA_256') throw new ServiceError('ValidationException', 'the local runtime signs digests with ECDSA_SHA_256');
        return { body: { KeyId: arn, Signature: await signDigest(Buffer.from(input.Message ?? '', 'base64'), key), SigningAlgorithm: 'ECDSA_SHA_256' } };
      },
    };
  }
}

/** Node signs messages, KMS digests. */
async function signDigest(digest: Buffer, pem: string): Promise<string> {
  const { p256 } = await import('@noble/curves/nist.js');
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  return Buffer.from(p256.sign(digest, Buffer.from(d, 'base64url'), { prehash: false, format: 'der' })).toString('base64');
}
