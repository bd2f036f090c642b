import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** The verifier that Postgres keeps of a password (RFC 5803), so that the password itself is never in a statement or a log. */
export function scramVerifier(password: string, salt = randomBytes(16), iterations = 4_096): string {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new Error('PasswordInvalid: printable ASCII is expected; other text would need SASLprep');
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`;
}
