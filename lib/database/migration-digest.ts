import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../scope/package-root';

/** Digest of the registrar's code, which carries the migrations: CloudFormation runs the migration again when it changes. */
export function migrationDigest(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'dist', 'lambda', 'digests.json'), 'utf8')) as { registrar: string }).registrar;
}
