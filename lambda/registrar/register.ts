import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { compile } from '../../lib/scope/compile';
import { compileSql } from '../../lib/scope/compile-sql';
import { ControlsError } from '../../lib/scope/controls-error';
import { Manifest, manifestDigest } from '../../lib/scope/manifest';
import { agentLogin, agentRoleName, agentSecretName, dutyRole, dutySecretName, SCOPE_STAGE } from '../../lib/scope/names';
import type { AgentRegistration, Registration } from '../../lib/scope/registration';
import type { Tier } from '../../lib/scope/tier';
import { Run, transaction } from './owner-session';
import { scramVerifier } from './scram';

const secrets = new SecretsManagerClient({});

/** Writes what one stack declares: tiers and logins of handlers, then actions, then the agents that call them. */
export async function register(controlsName: string, stack: string, registration: Registration): Promise<void> {
  if (registration.tiers) await transaction((run) => registerTiers(run, registration.tiers as readonly Tier[]));
  for (const duty of registration.duties) {
    const { username, password } = await credential(dutySecretName(controlsName, duty));
    await transaction((run) => ensureLogin(run, username, dutyRole(controlsName, duty), password, { duty }));
  }
  for (const action of registration.actions) {
    const { manifest, functionName, bundleDigest } = action;
    await transaction(async (run) => {
      const digest = manifestDigest(manifest);
      const [row] = await run('select controls.register_action(:name, :stack, :manifest, :digest, :function, :bundle) as changed',
        { name: manifest.name, stack, manifest: canonicalJson(manifest), digest, function: functionName, bundle: bundleDigest });
      if (row?.changed === true) await entry(run, 'action.registered', null, { action: manifest.name, manifest_digest: digest, bundle_digest: bundleDigest });
    });
  }
  for (const agent of registration.agents) await registerAgent(controlsName, stack, agent);
}

async function registerTiers(run: Run, tiers: readonly Tier[]): Promise<void> {
  const before = await run('select name, kind, window_seconds, array_to_json(approvers)::text as approvers, people from controls.tier order by name');
  await run('delete from controls.tier');
  for (const { name, kind, windowSeconds, approvers, people } of tiers) {
    await run('insert into controls.tier values (:name, :kind, :window::int, array(select json_array_elements_text(:approvers::json)), :people::int)',
      { name, kind, window: windowSeconds, approvers: JSON.stringify(approvers), people });
  }
  const after = await run('select name, kind, window_seconds, array_to_json(approvers)::text as approvers, people from controls.tier order by name');
  if (canonicalJson(before) !== canonicalJson(after)) await entry(run, 'tiers.registered', null, { tiers: after });
}

async function registerAgent(controlsName: string, stack: string, { card, environment }: AgentRegistration): Promise<void> {
  const { username, password, arn } = await credential(agentSecretName(controlsName, card.agent));
  if (username !== agentLogin(controlsName, card.agent, 'a') && username !== agentLogin(controlsName, card.agent, 'b')) {
    throw new ControlsError('LoginShared', `the secret of ${card.agent} holds the login ${username}, which is not its own; restore the secret`);
  }
  const compiled = await transaction(async (run) => {
    const manifests = (await run('select manifest from controls.action')).map(({ manifest }) => JSON.parse(String(manifest)) as Manifest);
    const tiers = (await run('select name, kind, window_seconds, array_to_json(approvers)::text as approvers, people from controls.tier')).map((row): Tier => ({
      name: String(row.name), kind: row.kind as Tier['kind'], windowSeconds: Number(row.window_seconds), approvers: JSON.parse(String(row.approvers)) as string[], people: Number(row.people),
    }));
    const scope = compile({ card, environment, manifests, tiers });
    await ensureLogin(run, username, agentRoleName(controlsName, card.agent), password, { agent: card.agent });
    for (const statement of compileSql(scope, controlsName)) await run(statement.startsWith('select ') ? `${statement}::text` : statement);
    const [row] = await run('select controls.register_agent(:name, :stack, :environment, :card, :digest, :compiled, :secret, :production) as changed', {
      name: card.agent, stack, environment, card: canonicalJson(card), digest: scope.cardDigest, compiled: canonicalJson(scope), secret: arn, production: scope.production,
    });
    if (row?.changed === true) await entry(run, 'agent.registered', card.agent, { card_digest: scope.cardDigest, environment });
    return scope;
  });
  // Second: until it is written the broker sees two digests and starts no run.
  await putScope(agentSecretName(controlsName, card.agent), canonicalJson({ cardDigest: compiled.cardDigest, environment, scopes: card.scopes.map(({ scope }) => scope) }));
}

async function ensureLogin(run: Run, login: string, role: string, password: string, of: { readonly duty?: string; readonly agent?: string }): Promise<void> {
  await run('select controls.ensure_role(:role)::text', { role });
  await run('select controls.ensure_login(:login, :role, :verifier, :duty, :agent)::text', { login, role, verifier: scramVerifier(password), duty: of.duty ?? null, agent: of.agent ?? null });
}

async function entry(run: Run, kind: string, agent: string | null, facts: object): Promise<void> {
  await run('select audit.chain(:entries::json)::text', { entries: JSON.stringify([{ kind, agent, facts: canonicalJson(facts) }]) });
}

async function credential(secretName: string): Promise<{ username: string; password: string; arn: string }> {
  const { SecretString, ARN } = await secrets.send(new GetSecretValueCommand({ SecretId: secretName }));
  const { username, password } = JSON.parse(SecretString ?? '{}') as { username?: string; password?: string };
  if (username === undefined || password === undefined || ARN === undefined) throw new ControlsError('SecretInvalid', `${secretName} must hold username and password; restore its last version`);
  return { username, password, arn: ARN };
}

async function putScope(secretName: string, scope: string): Promise<void> {
  const current = await secrets.send(new GetSecretValueCommand({ SecretId: secretName, VersionStage: SCOPE_STAGE })).catch((error: unknown) => {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined; // the first time there is none
    throw error;
  });
  if (current?.SecretString !== scope) await secrets.send(new PutSecretValueCommand({ SecretId: secretName, SecretString: scope, VersionStages: [SCOPE_STAGE] }));
}
