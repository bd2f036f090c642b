/** An app on the local runtime for the tests of one file, with a superuser beside it; nothing of it is left when they are over. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Client } from 'pg';
import type { AgentIdentity } from '../../lib';
import { LocalRuntime } from '../../local/testing';

/** A folder of its own. */
export const testFolder = (name: string): string => mkdtempSync(join(tmpdir(), `agent-controls-${name}-`));

export interface LocalApp {
  readonly runtime: LocalRuntime;
  readonly superuser: Client;
  /** Ends it, and removes its folder. */
  stop(): Promise<void>;
}

/** @param assembly an app, or the folder of one that is synthesized. */
export async function startApp(folder: string, assembly: App | string, seed: readonly string[] = []): Promise<LocalApp> {
  const runtime = await LocalRuntime.start({ assembly: typeof assembly === 'string' ? assembly : assembly.synth().directory, folder: join(folder, 'local'), seed });
  const { host, port, database, superuser: user, password } = runtime.file.postgres;
  const superuser = new Client({ host, port, database, user, password });
  await superuser.connect();
  return {
    runtime, superuser,
    stop: async () => {
      await superuser.end();
      await runtime.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A role whose program starts runs of an agent. */
export function withProgram(stack: Stack, agent: AgentIdentity, roleName = `${agent.agentName}-bot`): void {
  agent.grantStartRun(new iam.Role(stack, roleName, { roleName, assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
}
