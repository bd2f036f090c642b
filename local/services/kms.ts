import { createCipheriv, createDecipheriv, createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import type { PolicyDocument } from '../identity/principals';
import { jsonOf, targetOf } from './protocol';

/** Private keys by the ARN of the KMS key, as the file that keeps them over a restart. */
export type KeysFile = Record<string, string>;

interface Input { readonly KeyId?: string; readonly Message?: string; readonly MessageType?: string; readonly SigningAlgorithm?: string; readonly KeySpec?: string; readonly CiphertextBlob?: string; readonly EncryptionContext?: Readonly<Record<string, string>>; readonly Mac?: string }

/** KMS: Sign and GetPublicKey of keys on P-256; GenerateDataKey, Decrypt, GenerateMac and VerifyMac of the others. */
export class Kms implements Service {
  public readonly protocol = 'json';

  /** @param save called after a key was made. */
  public constructor(private readonly keys: KeysFile, private readonly save: () => void, private readonly aliases: ReadonlyMap<string, string>, private readonly policies: ReadonlyMap<string, PolicyDocument>) {}

  public name(request: SignedRequest): string { return targetOf(request); }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (!['Sign', 'GetPublicKey', 'GenerateDataKey', 'Decrypt', 'GenerateMac', 'VerifyMac'].includes(name)) return undefined;
    const input = jsonOf<Input>(request);
    const arn = this.aliases.get(input.KeyId ?? '') ?? input.KeyId ?? '';
    return {
      permissions: [{ action: `kms:${name}`, resource: arn, resourcePolicy: this.policies.get(arn), context: { 'kms:ResourceAliases': [...this.aliases].filter(([, of]) => of === arn).map(([alias]) => alias) } }],
      run: async () => {
        if (name === 'GenerateDataKey' || name === 'Decrypt') return { body: this.symmetric(name, arn, input) };
        if (name === 'GenerateMac' || name === 'VerifyMac') return { body: this.mac(name, arn, input) };
        const key = this.material(arn, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
        if (name === 'GetPublicKey') return { body: { KeyId: arn, PublicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64'), KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', SigningAlgorithms: ['ECDSA_SHA_256'] } };
        if (input.MessageType !== 'DIGEST' || input.SigningAlgorithm !== 'ECDSA_SHA_256') throw new ServiceError('ValidationException', 'the local runtime signs digests with ECDSA_SHA_256');
        return { body: { KeyId: arn, Signature: await signDigest(Buffer.from(input.Message ?? '', 'base64'), key), SigningAlgorithm: 'ECDSA_SHA_256' } };
      },
    };
  }

  /** The material of a key, made when it is first used. */
  private material(arn: string, make: () => string): string {
    if (!this.policies.has(arn)) throw new ServiceError('NotFoundException', `there is no key ${arn}`);
    if (this.keys[arn] === undefined) { this.keys[arn] = make(); this.save(); }
    return this.keys[arn] ?? '';
  }

  private secret(arn: string): Buffer { return Buffer.from(this.material(arn, () => randomBytes(32).toString('base64')), 'base64'); }

  private mac(name: 'GenerateMac' | 'VerifyMac', arn: string, { Message = '', Mac = '' }: Input): object {
    const mac = createHmac('sha256', this.secret(arn)).update(Buffer.from(Message, 'base64')).digest('base64');
    if (name === 'VerifyMac' && mac !== Mac) throw new ServiceError('KMSInvalidMacException', '');
    return { KeyId: arn, MacAlgorithm: 'HMAC_SHA_256', ...(name === 'VerifyMac' ? { MacValid: true } : { Mac: mac }) };
  }

  /** Data keys under a key that never leaves; the encryption context is authenticated. */
  private symmetric(name: 'GenerateDataKey' | 'Decrypt', arn: string, { CiphertextBlob = '', EncryptionContext = {}, KeySpec }: Input): object {
    const key = this.secret(arn);
    const aad = Buffer.from(JSON.stringify([arn, Object.entries(EncryptionContext).sort(([a], [b]) => (a < b ? -1 : 1))]));
    if (name === 'GenerateDataKey') {
      if (KeySpec !== 'AES_256') throw new ServiceError('ValidationException', 'the local runtime makes data keys of AES_256');
      const [plain, iv] = [randomBytes(32), randomBytes(12)];
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
      const sealed = Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
      return { KeyId: arn, Plaintext: plain.toString('base64'), CiphertextBlob: sealed.toString('base64') };
    }
    const sealed = Buffer.from(CiphertextBlob, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(aad).setAuthTag(sealed.subarray(-16));
      return { KeyId: arn, Plaintext: Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
    } catch {
      throw new ServiceError('InvalidCiphertextException', '');
    }
  }
}

/** Node signs messages, KMS digests. */
async function signDigest(digest: Buffer, pem: string): Promise<string> {
  const { p256 } = await import('@noble/curves/nist.js');
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  return Buffer.from(p256.sign(digest, Buffer.from(d, 'base64url'), { prehash: false, format: 'der' })).toString('base64');
}
