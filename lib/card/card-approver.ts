import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { checkPublicKey } from '../scope/approval';

/**
 * A person whose signature puts cards in force, known by a public key. The key stands in the app, so whoever reviews the app reviews
 * who may approve permissions; every change of the list is an entry of the audit log.
 */
export class CardApprover {
  /**
   * @param name as cards have it under `owners.security` or `granted-by`.
   * @param publicKey Ed25519 as PEM: `openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout`.
   * @throws `KeyInvalid`
   */
  public static fromPublicKey(name: string, publicKey: string): CardApprover { return new CardApprover(name, publicKey); }

  /** The same from a file. @param path relative to the working directory of the CDK app, or absolute. */
  public static fromPublicKeyFile(name: string, path: string): CardApprover { return new CardApprover(name, readFileSync(resolve(path), 'utf8')); }

  /** Name as cards have it. */
  public readonly approverName: string;
  /** Ed25519 public key, PEM. */
  public readonly publicKey: string;

  private constructor(approverName: string, publicKey: string) {
    checkPublicKey(publicKey, approverName);
    this.approverName = approverName;
    this.publicKey = publicKey;
  }
}
