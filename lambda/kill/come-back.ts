import { randomBytes } from 'node:crypto';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { arg, callFunction } from '../database/connection';
import { scramVerifier } from '../registrar/scram';
import { deny, NOTHING, nothingBefore } from './sessions';

/** What came of asking for an agent back. */
export interface ComeBack {
  readonly refused?: string;
  /** Whether it waits for a second person. */
  readonly waits?: boolean;
  readonly enabled?: boolean;
}

/**
 * Asks for an agent back; the second of two people brings it, under a password that is new and with every session from before refused.
 * Cut off anywhere, the agent is still stopped, and the second person asks again.
 */
export async function comeBack(agent: string, person: string, reason: string): Promise<ComeBack> {
  const asked = await callFunction<ComeBack & { login: string; secretArn: string }>('controls.ask_back', { agent: arg.text(agent), person: arg.text(person), reason: arg.text(reason) });
  if (asked.refused !== undefined || asked.waits) return asked;
  const password = randomBytes(30).toString('base64url');
  const { VersionId } = await new SecretsManagerClient({}).send(new PutSecretValueCommand({ SecretId: asked.secretArn, SecretString: JSON.stringify({ username: asked.login, password }), VersionStages: ['AWSCURRENT'] }));
  await deny(agent, nothingBefore(new Date()));
  try {
    const came = await callFunction<ComeBack>('controls.bring_back', { agent: arg.text(agent), person: arg.text(person), reason: arg.text(reason), login: arg.text(asked.login), verifier: arg.text(scramVerifier(password)), version: arg.text(VersionId) });
    if (came.refused === undefined) return came;
    await deny(agent, NOTHING); // another stop came between
    return came;
  } catch (error) {
    await deny(agent, NOTHING);
    throw error;
  }
}
